#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "toy/tensor/error.h"

namespace toy::testing {

/// The message of the toy::Error that `act` throws; a test failure if it throws none.
inline std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << "more than one line: " << e.what();
    return e.what();
  }
  ADD_FAILURE() << "expected an error";
  return "";
}

}  // namespace toy::testing
