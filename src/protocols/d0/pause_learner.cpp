// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/d0/pause_learner.hpp"

#include <algorithm>

namespace vz::d0 {

void PauseLearner::answered(Duration elapsed) {
  if (elapsed > kLongest) {
    if (before_) known_ = *before_;
    before_.reset();
    return;
  }
  if (!before_) surprises_ = 0;
  before_.reset();
  if (!known_.worked || elapsed < *known_.worked) known_.worked = elapsed;
  known_.failed = std::min(known_.failed, *known_.worked - Duration{1});
  if (++answers_ >= kProbeAfter && known_.failed > Duration{0}) {
    answers_ = 0;
    known_.failed -= known_.failed / 4;
  }
  decide();
}

bool PauseLearner::ignored(Duration elapsed) {
  if (elapsed >= kLongest) {  // no pause explains this
    if (before_) known_ = *before_;
    return false;
  }
  const bool first = !before_;
  if (first) before_ = known_;
  if (known_.worked && elapsed >= *known_.worked) {
    if (!first || ++surprises_ < kDoubtAfter) return false;
    known_.worked.reset();
    surprises_ = 0;
  }
  known_.failed = std::max(known_.failed, elapsed);
  decide();
  return true;
}

void PauseLearner::decide() {
  const Duration failed = known_.failed;
  if (failed < Duration{0}) {
    known_.pause = Duration{0};
  } else if (!known_.worked) {
    known_.pause = std::min(kLongest, failed + failed / 2 + Duration{500});
  } else if (*known_.worked - failed > kCloseEnough) {
    known_.pause = failed + (*known_.worked - failed) / 2;
  } else {
    known_.pause = *known_.worked + *known_.worked / 100;  // some room for the jitter of both clocks
  }
}

}  // namespace vz::d0
