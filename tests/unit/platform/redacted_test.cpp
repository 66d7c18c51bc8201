// SPDX-License-Identifier: GPL-3.0-or-later
#include "vz/http.hpp"

namespace vz {
namespace {

TEST(Redacted, PlainUrlsStay) {
  EXPECT_EQ(redacted("http://localhost/middleware.php"), "http://localhost/middleware.php");
  EXPECT_EQ(redacted("https://[2001:db8::1]:8443/a/b"), "https://[2001:db8::1]:8443/a/b");
  EXPECT_EQ(redacted("http://host:8086/write/a@b"), "http://host:8086/write/a@b");
  EXPECT_EQ(redacted("localhost:8080/x"), "localhost:8080/x");
  EXPECT_EQ(redacted(""), "");
}

TEST(Redacted, UserAndPasswordGo) {
  EXPECT_EQ(redacted("http://user:secret@host/path"), "http://host/path");
  EXPECT_EQ(redacted("http://token@host:80"), "http://host:80");
  EXPECT_EQ(redacted("user:secret@host/path"), "host/path");
  EXPECT_EQ(redacted("http://user:p@ss@host/path"), "http://host/path");
  EXPECT_EQ(redacted("http://user:secret@[::1]:80/path"), "http://[::1]:80/path");
}

TEST(Redacted, APasswordThatBreaksTheUrlGoes) {
  EXPECT_EQ(redacted("http://user:se/cret@host/path"), "http://host/path");
  EXPECT_EQ(redacted("http://user:se?cret@host/path"), "http://host/path");
  EXPECT_EQ(redacted("http://user:se#cret@host/path?token=x"), "http://host/path");
}

TEST(Redacted, QueryAndFragmentGo) {
  EXPECT_EQ(redacted("http://host/write?u=me&p=secret"), "http://host/write");
  EXPECT_EQ(redacted("http://host?u=me&p=secret"), "http://host");
  EXPECT_EQ(redacted("http://host/a#secret"), "http://host/a");
  EXPECT_EQ(redacted("http://host/write?mail=a@b"), "http://host/write");
}

TEST(Redacted, AUuidIsAWriteKey) {
  EXPECT_EQ(redacted("http://host/data/01234567-89ab-cdef-0123-456789abcdef.json"), "http://host/data/...abcdef.json");
  EXPECT_EQ(redacted("http://host/data/01234567-89AB-CDEF-0123-456789ABCDEF.json"), "http://host/data/...ABCDEF.json");
  EXPECT_EQ(redacted("http://host/sensor/0123456789abcdef0123456789abcdef"), "http://host/sensor/...abcdef");
  EXPECT_EQ(redacted("http://host/01234567-89ab"), "http://host/01234567-89ab");
}

TEST(Redacted, UuidsThatOverlap) {
  EXPECT_EQ(redacted("/550e8400-e29b-11d4-a716-ccccccccc550e8400-e29b-11d4-a716-446655440000=x"), "/...440000=x");
}

TEST(Redacted, ATextThatIsNoUrl) {
  EXPECT_EQ(redacted("/01234567-89ab-cdef-0123-456789abcdef222://2222"), "/...def222://2222");
  EXPECT_EQ(redacted("a01234567-89ab-cdef-0123-456789abcdef://host/"), "...abcdef://host/");
  EXPECT_EQ(redacted("user:secret@host/x://y"), "host/x://y");
  EXPECT_EQ(redacted(" http://user:secret@host/x"), "host/x");
  EXPECT_EQ(redacted("\"http://user:secret@host/x"), "host/x");
}

}  // namespace
}  // namespace vz
