# SPDX-License-Identifier: GPL-3.0-or-later
# Flags that all targets share.
add_library(vz_flags INTERFACE)
target_compile_options(vz_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(VZ_WERROR)
  target_compile_options(vz_flags INTERFACE -Werror)
endif()
if(VZ_SANITIZE)
  target_compile_options(vz_flags INTERFACE -fsanitize=${VZ_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(vz_flags INTERFACE -fsanitize=${VZ_SANITIZE})
  if(VZ_SANITIZE MATCHES "undefined")
    target_compile_options(vz_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()
if(VZ_FUZZ)
  target_compile_options(vz_flags INTERFACE -fsanitize=fuzzer-no-link)  # coverage of our own code
endif()
target_include_directories(vz_flags INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src
                                              ${CMAKE_BINARY_DIR}/generated)

# ccache, told that precompiled headers are fine
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(vz_flags INTERFACE -fpch-preprocess)
  endif()
endif()
