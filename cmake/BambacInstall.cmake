# What `cmake --install` puts where, and the files with which CMake and pkg-config find it. The build folder has the same
# layout and a CMake package of its own, so that find_package(bambac) works with either.
include(CMakePackageConfigHelpers)

set(installedTargets bamba-run)
foreach(tool bambac bambac-opt)
  if(TARGET ${tool})
    # MLIR and LLVM may lie outside of the loader's folders.
    set_target_properties(${tool} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
    list(APPEND installedTargets ${tool})
  endif()
endforeach()
install(TARGETS ${installedTargets} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")

# What models are linked with; bambac looks for it in ../lib/bambac, seen from itself.
install(DIRECTORY "${BAMBAC_RUNTIME_DIR}/" DESTINATION lib/bambac)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/runtime/include/bamba" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
  "${PROJECT_SOURCE_DIR}/docs/embedding.md" "${PROJECT_SOURCE_DIR}/docs/json-output.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/examples" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

function(bambac_package_file destination prefix binDir includeDir)
  set(runtimeDir lib/bambac)
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/bambacConfig.cmake.in" "${destination}/bambacConfig.cmake"
    INSTALL_DESTINATION lib/cmake/bambac
    INSTALL_PREFIX "${prefix}"
    PATH_VARS binDir includeDir runtimeDir
    NO_SET_AND_CHECK_MACRO
    NO_CHECK_REQUIRED_COMPONENTS_MACRO)
  write_basic_package_version_file("${destination}/bambacConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
endfunction()

set(packageDir "${PROJECT_BINARY_DIR}/package") # what is installed
bambac_package_file("${packageDir}" "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_BINDIR}" "${CMAKE_INSTALL_INCLUDEDIR}")
bambac_package_file("${PROJECT_BINARY_DIR}/lib/cmake/bambac" "${PROJECT_BINARY_DIR}"
  bin "${PROJECT_SOURCE_DIR}/runtime/include")
configure_file("${PROJECT_SOURCE_DIR}/cmake/bambac.pc.in" "${packageDir}/bambac.pc" @ONLY)
install(FILES "${packageDir}/bambac.pc" DESTINATION lib/pkgconfig)
install(FILES "${packageDir}/bambacConfig.cmake" "${packageDir}/bambacConfigVersion.cmake"
  DESTINATION lib/cmake/bambac)
