// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/app.hpp"

int main(int argc, char** argv) { return vz::cli::run(argc, argv); }
