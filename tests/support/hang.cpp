// SPDX-License-Identifier: GPL-3.0-or-later
// For LD_PRELOAD: a machine whose name servers do not answer (VZ_HANG=names), or whose disk does not (VZ_HANG=disk).
// Says so on standard error when somebody has begun to wait.
#include <netdb.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace {

bool hangs(const char* what) {
  const char* wanted = std::getenv("VZ_HANG");
  return wanted != nullptr && std::strcmp(wanted, what) == 0;
}

[[noreturn]] void hang(const char* line) {
  if (::write(STDERR_FILENO, line, std::strlen(line)) < 0) std::abort();
  for (;;) ::pause();
}

}  // namespace

extern "C" {

int getaddrinfo(const char* /*node*/, const char* /*service*/, const addrinfo* /*hints*/, addrinfo** /*result*/) {
  if (hangs("names")) hang("hang: a name is looked up\n");
  return EAI_FAIL;
}

int fsync(int /*fd*/) {
  if (hangs("disk")) hang("hang: the disk is to write\n");
  return 0;
}

int fdatasync(int fd) { return fsync(fd); }
}
