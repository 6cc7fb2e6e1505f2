// toy --version --verbose names all that the program is linked with.
#include <gtest/gtest.h>

#include <algorithm>
#include <elf.h>
#include <link.h>
#include <string>
#include <vector>

#include "tests/cli/process.h"
#include "tests/cli/small_models.h"
#include "tests/sanitized.h"

namespace toy::testing {
namespace {

/// The entry of an ELF file at a byte.
template <class Entry>
Entry entry_at(const std::string& file, std::uint64_t at) {
  Entry entry{};
  if (at + sizeof entry <= file.size()) std::copy_n(file.data() + at, sizeof entry, reinterpret_cast<char*>(&entry));
  return entry;
}

struct Linked {
  std::vector<std::string> libraries;  // DT_NEEDED
  bool position_independent = false, relro = false, now = false, stack_executable = true;
};

/// What the dynamic section says (System V ABI, chapter 5).
Linked linked(const std::string& file) {
  Linked found;
  const auto header = entry_at<ElfW(Ehdr)>(file, 0);
  found.position_independent = header.e_type == ET_DYN;
  std::uint64_t dynamic = 0, end = 0, names = 0, names_address = 0;
  for (int i = 0; i < header.e_phnum; ++i) {
    const auto part = entry_at<ElfW(Phdr)>(file, header.e_phoff + sizeof(ElfW(Phdr)) * static_cast<std::uint64_t>(i));
    found.relro = found.relro || part.p_type == PT_GNU_RELRO;
    if (part.p_type == PT_GNU_STACK) found.stack_executable = (part.p_flags & PF_X) != 0;
    if (part.p_type != PT_DYNAMIC) continue;
    dynamic = part.p_offset;
    end = part.p_offset + part.p_filesz;
  }
  const auto each = [&](const auto& visit) {
    for (std::uint64_t at = dynamic; at < end; at += sizeof(ElfW(Dyn))) visit(entry_at<ElfW(Dyn)>(file, at));
  };
  each([&](const ElfW(Dyn) & d) {
    if (d.d_tag == DT_STRTAB) names_address = d.d_un.d_ptr;
    if (d.d_tag == DT_FLAGS) found.now = found.now || (d.d_un.d_val & DF_BIND_NOW) != 0;
    if (d.d_tag == DT_FLAGS_1) found.now = found.now || (d.d_un.d_val & DF_1_NOW) != 0;
  });
  for (int i = 0; i < header.e_phnum; ++i) {
    const auto part = entry_at<ElfW(Phdr)>(file, header.e_phoff + sizeof(ElfW(Phdr)) * static_cast<std::uint64_t>(i));
    const bool holds =
        part.p_type == PT_LOAD && names_address >= part.p_vaddr && names_address < part.p_vaddr + part.p_filesz;
    if (holds) names = names_address - part.p_vaddr + part.p_offset;
  }
  each([&](const ElfW(Dyn) & d) {
    if (d.d_tag == DT_NEEDED) found.libraries.emplace_back(file.c_str() + names + d.d_un.d_val);
  });
  return found;
}

TEST(Linked, every_library_is_told) {
  if (sanitized()) GTEST_SKIP() << "sanitizers bring libraries of their own";
  const Finished f = toy({"--version", "--verbose"});
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.out.find(toy({"--version"}).out), 0U) << f.out;
  const Linked program = linked(read_file(TOY_PROGRAM));
  EXPECT_GE(program.libraries.size(), 3U);
  for (const std::string& library : program.libraries) {
    if (library.starts_with("ld-linux")) continue;  // of glibc
    const std::string name = library.substr(0, library.find(".so") + 3);
    EXPECT_NE(f.out.find(name), std::string::npos) << library << " is not in\n" << f.out;
  }
}

TEST(Linked, the_program_is_hardened) {
  if (sanitized()) GTEST_SKIP() << "sanitizers have flags of their own";
  const std::string file = read_file(TOY_PROGRAM);
  const Linked program = linked(file);
  EXPECT_TRUE(program.position_independent);
  EXPECT_TRUE(program.relro);
  EXPECT_TRUE(program.now) << "RELRO is whole only where all is bound at the start";
  EXPECT_FALSE(program.stack_executable);
  EXPECT_NE(file.find("__stack_chk_fail"), std::string::npos) << "-fstack-protector-strong";
}

}  // namespace
}  // namespace toy::testing
