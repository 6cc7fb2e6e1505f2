# Flags of every target of this project: C++20, warnings are errors, no silent contraction of a*b+c.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# A build that began without ccache goes on without: with it everything would be compiled again.
find_program(CCACHE ccache)
if(NOT CCACHE)
  set(CCACHE "" CACHE FILEPATH "Keeps what was compiled" FORCE)
endif()
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()

set(TOY_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")
option(TOY_FUZZ "Build the fuzz targets (clang)" OFF)

add_library(toy_flags INTERFACE)
target_compile_options(toy_flags INTERFACE -Wall -Wextra -Werror -ffp-contract=off
                       # GCC 12 warns of `"text" + std::string` by mistake (its bug 105651).
                       $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(TOY_SANITIZE)
  target_compile_options(toy_flags INTERFACE -fsanitize=${TOY_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=all -g
                         # GCC documents that its sanitizers make this warning wrong.
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(toy_flags INTERFACE -fsanitize=${TOY_SANITIZE})
endif()
if(TOY_FUZZ)
  target_compile_options(toy_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
