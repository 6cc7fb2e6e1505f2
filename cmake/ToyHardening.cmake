# What makes mistakes in reading foreign files harder to exploit.
add_library(toy_hardening INTERFACE)
if(NOT TOY_SANITIZE AND NOT TOY_FUZZ)
  target_compile_options(toy_hardening INTERFACE -fstack-protector-strong)
  # The checks need an optimized build.
  target_compile_definitions(toy_hardening INTERFACE $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:_FORTIFY_SOURCE=2>)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(toy_hardening INTERFACE -fcf-protection)
  endif()
endif()

# The floors that are built so.
set(TOY_HARDENED_FLOORS cli)

# toy_harden(PROGRAM): position-independent; RELRO is whole only when every symbol is bound at the start.
function(toy_harden program)
  set_target_properties(${program} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${program} PRIVATE toy_hardening)
  target_link_options(${program} PRIVATE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endfunction()
