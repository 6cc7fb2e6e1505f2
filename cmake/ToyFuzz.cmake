# toy_fuzz(NAME SOURCES ... LINKS ...): the libFuzzer program fuzz/NAME, only in builds with TOY_FUZZ.
# The target `fuzz` builds all of them.
if(TOY_FUZZ)
  add_custom_target(fuzz)
endif()

function(toy_fuzz name)
  if(NOT TOY_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(fuzz_${name} ${ARG_SOURCES})
  add_dependencies(fuzz fuzz_${name})
  set_target_properties(fuzz_${name} PROPERTIES OUTPUT_NAME ${name}
                        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
  target_include_directories(fuzz_${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINKS} toy_flags)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
