// SPDX-License-Identifier: GPL-3.0-or-later
// The precompiled header of all tests.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>
