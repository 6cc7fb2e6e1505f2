# floors.txt is the only list of the floors, bottom up; tools/lint/floors reads it too.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/floors.txt")
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/floors.txt" TOY_FLOOR_ORDER)

# toy_floor(NAME SOURCES ... LINKS ... PRIVATE_LINKS ...)
# Makes the library toy::NAME. Its headers are found through an include root of its own that holds only
# toy/NAME, so that a floor which is not linked cannot be included.
function(toy_floor name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(root "${PROJECT_BINARY_DIR}/floors/${name}")
  file(MAKE_DIRECTORY "${root}/toy")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${root}/toy/${name}" SYMBOLIC)

  add_library(toy_${name} STATIC ${ARG_SOURCES})
  add_library(toy::${name} ALIAS toy_${name})
  set_target_properties(toy_${name} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  target_compile_features(toy_${name} PUBLIC cxx_std_20)
  target_include_directories(toy_${name} PUBLIC "$<BUILD_INTERFACE:${root}>"
                                                "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(toy_${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS} $<BUILD_INTERFACE:toy_flags>)
  if(name IN_LIST TOY_HARDENED_FLOORS)
    target_link_libraries(toy_${name} PRIVATE $<BUILD_INTERFACE:toy_hardening>)
  endif()

  install(TARGETS toy_${name} EXPORT toyTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/toy/${name}"
          FILES_MATCHING PATTERN "*.h")
endfunction()
