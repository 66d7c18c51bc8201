# SPDX-License-Identifier: GPL-3.0-or-later

# vz_folder(NAME PATH [LINK lib...]): one object library `vz_NAME` of all .cpp below src/PATH (main.cpp apart),
# which shares the one precompiled header.
function(vz_folder name path)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${path}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT sources)
    set(sources ${CMAKE_SOURCE_DIR}/src/pch.cpp)
  endif()
  add_library(vz_${name} OBJECT ${sources} ${VZ_GENERATED_${name}})
  target_link_libraries(vz_${name} PUBLIC vz_flags fmt::fmt Threads::Threads ${ARG_LINK})
  target_precompile_headers(vz_${name} REUSE_FROM vz_pch)
endfunction()

# vz_table(NAME): writes the table of all registrations in src/NAME/*.cpp. A file NAME/foo.cpp registers
# `vz::NAME::foo_KIND`. Only the top level of the folder registers; helpers live in sub-folders.
function(vz_table name kind type function)
  vz_table_of(${name}_table ${name} ${kind} ${type} ${function} ${CMAKE_SOURCE_DIR}/src/${name} ${ARGN})
  set(VZ_GENERATED_${name} ${CMAKE_BINARY_DIR}/generated/${name}_table.cpp PARENT_SCOPE)
endfunction()

# vz_table_of(OUTPUT NAME KIND TYPE FUNCTION FOLDERS order...): the same from a list of folders, as generated/OUTPUT.cpp.
function(vz_table_of output name kind type function folders)
  set(files "")
  foreach(folder ${folders})
    file(GLOB found CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.cpp)
    list(APPEND files ${found})
  endforeach()
  set(declarations "")
  set(rows "")
  # the order of the old daemon's help first, then the rest by name
  set(ordered "")
  foreach(known ${ARGN})
    if("${known}.cpp" IN_LIST files)
      list(APPEND ordered ${known}.cpp)
      list(REMOVE_ITEM files ${known}.cpp)
    endif()
  endforeach()
  foreach(file ${ordered} ${files})
    get_filename_component(stem ${file} NAME_WE)
    string(APPEND declarations "extern const ${type} ${stem}_${kind};\n")
    string(APPEND rows "    &${name}::${stem}_${kind},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${output}.cpp CONTENT
"// Generated from the files of ${name}. Do not edit.
#include \"vz/${kind}.hpp\"
namespace vz {
namespace ${name} {
${declarations}}
namespace {
const ${type}* const kTable[] = {
${rows}    nullptr};
}
std::span<const ${type}* const> ${function}() { return {kTable, std::size(kTable) - 1}; }
}  // namespace vz
" @ONLY)
endfunction()

# vz_program(NAME PATH lib...): a program from src/PATH/main.cpp.
function(vz_program name path)
  if(NOT EXISTS ${CMAKE_SOURCE_DIR}/src/${path}/main.cpp)
    return()
  endif()
  add_executable(${name} ${CMAKE_SOURCE_DIR}/src/${path}/main.cpp)
  target_link_libraries(${name} PRIVATE ${ARGN})
  target_precompile_headers(${name} REUSE_FROM vz_pch)
endfunction()
