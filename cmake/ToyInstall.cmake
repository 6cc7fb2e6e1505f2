# The package: find_package(toy COMPONENTS generate) gives toy::generate and the floors below it.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/toy")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/toyConfig.cmake.in" "${PROJECT_BINARY_DIR}/toyConfig.cmake"
                              INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/toyConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/toyConfig.cmake" "${PROJECT_BINARY_DIR}/toyConfigVersion.cmake"
        DESTINATION "${package_dir}")
install(EXPORT toyTargets NAMESPACE toy:: DESTINATION "${package_dir}")
