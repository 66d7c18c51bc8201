# SPDX-License-Identifier: GPL-3.0-or-later
# cmake -DOUT=... -DSOURCES=... -DBUGS=... -P plant.cmake: copies the sources to OUT and plants every one of BUGS in them,
# each behind `planted(N)`. A bug whose original text is not there (exactly once) is an error.
#
# A bug is a file NN_name.bug: the source file, `--- original`, the text, `+++ planted`, the text in its place.
set(names "")
foreach(source ${SOURCES})
  get_filename_component(name ${source} NAME)
  file(READ ${source} "text_${name}")
  list(APPEND names ${name})
endforeach()
set(bugs ${BUGS})
list(SORT bugs)
set(rows "")
foreach(bug ${bugs})
  get_filename_component(stem ${bug} NAME_WE)
  string(REGEX REPLACE "^0*([0-9]+)_.*" "\\1" number ${stem})
  string(REGEX REPLACE "^[0-9]+_" "" title ${stem})
  string(REPLACE "_" " " title ${title})
  file(READ ${bug} text)
  string(FIND "${text}" "\n--- original\n" at)
  string(SUBSTRING "${text}" 0 ${at} target)
  get_filename_component(target ${target} NAME)
  math(EXPR at "${at} + 14")
  string(SUBSTRING "${text}" ${at} -1 text)
  string(FIND "${text}" "+++ planted\n" at)
  string(SUBSTRING "${text}" 0 ${at} original)
  math(EXPR at "${at} + 12")
  string(SUBSTRING "${text}" ${at} -1 planted)
  string(FIND "${text_${target}}" "${original}" first)
  string(FIND "${text_${target}}" "${original}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "${stem}: its original text is not exactly once in ${target}")
  endif()
  string(REPLACE "${original}" "${planted}" "text_${target}" "${text_${target}}")
  string(APPEND rows "    {${number}, \"${title}\"},\n")
endforeach()
foreach(name ${names})
  file(WRITE ${OUT}/${name}.new "#include \"sim/planted.hpp\"\nusing vz::sim::planted;\n${text_${name}}")
  file(COPY_FILE ${OUT}/${name}.new ${OUT}/${name} ONLY_IF_DIFFERENT)
endforeach()
file(WRITE ${OUT}/bugs.cpp "#include \"sim/planted.hpp\"
namespace vz::sim {
namespace {
constexpr PlantedBug kBugs[] = {
${rows}};
}
std::span<const PlantedBug> planted_bugs() { return kBugs; }
}
")
