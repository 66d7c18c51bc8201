# SPDX-License-Identifier: GPL-3.0-or-later
# Version, commit and its date for `vzlogger -V`, without a rebuild of more than one file.
find_package(Git QUIET)
set(VZ_GIT_DESCRIBE "v${PROJECT_VERSION}")
set(VZ_COMMIT_DATE "unknown")
set(VZ_BUILD_EPOCH 0)
if(GIT_FOUND AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --tags WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                  OUTPUT_VARIABLE git_describe OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT_EXECUTABLE} log -1 --format=%aD WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                  OUTPUT_VARIABLE git_date OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT_EXECUTABLE} log -1 --format=%ct WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                  OUTPUT_VARIABLE git_epoch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(git_describe)
    set(VZ_GIT_DESCRIBE ${git_describe})
    set(VZ_COMMIT_DATE ${git_date})
    set(VZ_BUILD_EPOCH ${git_epoch})
  endif()
endif()
# outside of a checkout: what the package's build says
if(VZ_BUILD_EPOCH EQUAL 0 AND DEFINED ENV{SOURCE_DATE_EPOCH})
  set(VZ_BUILD_EPOCH $ENV{SOURCE_DATE_EPOCH})
  string(TIMESTAMP VZ_COMMIT_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)  # of SOURCE_DATE_EPOCH
endif()
configure_file(${CMAKE_SOURCE_DIR}/cmake/version.hpp.in ${CMAKE_BINARY_DIR}/generated/vz/version.hpp @ONLY)
