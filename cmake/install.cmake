# SPDX-License-Identifier: GPL-3.0-or-later
include(GNUInstallDirs)
foreach(program vzlogger vzmetersim vzmiddleware)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
