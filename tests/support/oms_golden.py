#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the golden cases of oms (tests/golden/oms). Shares nothing with the decoder: frames are put together here, and
encrypted with the Python package cryptography. The expected readings are written down by hand.

usage: tests/support/oms_golden.py tests/golden/oms
"""
import json
import os
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

KEY = bytes(range(16))
METER = bytes.fromhex("78563412 4304 01 02".replace(" ", ""))


def h(text):
    return bytes.fromhex(text.replace(" ", ""))


def short(control, address):
    return bytes([0x10, control, address, (control + address) & 255, 0x16])


def frame(data, control=0x73, address=0xF0):
    body = bytes([control, address]) + data
    return bytes([0x68, len(body), len(body), 0x68]) + body + bytes([sum(body) & 255, 0x16])


def pad(records):
    data = h("2F2F") + records
    return data + b"\x2f" * (-len(data) % 16)


def encrypt(key, iv, data):
    e = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return e.update(data) + e.finalize()


def cmac(key, data):
    c = CMAC(algorithms.AES(key))
    c.update(data)
    return c.finalize()


def header(ci, meter, access, configuration):
    return bytes([ci]) + meter + bytes([access, 0]) + configuration.to_bytes(2, "little")


def plain(records, ci=0x5B, meter=METER, access=0x2A):
    return header(ci, meter, access, 0) + records


def mode5(records, ci=0x5B, meter=METER, access=0x2A, key=KEY):
    data = pad(records)
    iv = meter[4:6] + meter[0:4] + meter[6:8] + bytes([access]) * 8
    return header(ci, meter, access, 0x0500 | len(data) // 16 << 4) + encrypt(key, iv, data)


def mode7(records, counter, ci=0x72, meter=METER, access=0x2A, key=KEY, authenticated=True):
    data = pad(records)
    seed = counter + meter[0:4] + b"\x07" * 7
    head = header(ci, meter, access, 0x0700 | len(data) // 16 << 4) + b"\x10"
    message = head + encrypt(cmac(key, b"\x00" + seed), bytes(16), data)
    if not authenticated:
        return h("90 06 0008") + counter + message
    mac = cmac(cmac(key, b"\x01" + seed), b"\x25" + counter + message)[:8]
    return h("90 0F 002C 25") + counter + mac + message


# the old daemon's registers, after a time: 2023-11-14 23:13:15 in a zone one hour east (the tests live at 22:13:20 UTC)
TIME = h("06 6D 0F 0D 17 EE 2B 00")
AMIS = h("04 03 4BAA0D00  04 83 3C 07000000  84 10 FB 82 73 EB2B0000  84 10 FB 82 F3 3C A2CC0100 "
         "04 2B B3010000  04 AB 3C 00000000  04 FB 14 05000000  04 FB 94 3C 22000000  04 83 FF 04 01000000")
AMIS_READINGS = [
    ["255-255:1.8.0*255", 895563, "Wh"], ["255-255:2.8.0*255", 7, "Wh"], ["1-0:3.8.1*255", 11243, "varh"],
    ["1-0:4.8.1*255", 117922, "varh"], ["255-255:1.7.0*255", 435, "W"], ["255-255:2.7.0*255", 0, "W"],
    ["1-0:3.7.0*255", 5, "var"], ["1-0:4.7.0*255", 34, "var"],
]
STAMP = 1_700_000_000_000 - 5000
RESET = short(0x40, 0xF0)


def timed(readings, stamp=STAMP):
    return [r + [stamp] for r in readings]


HEAT = bytes.fromhex("7856341243040104")
WATER = bytes.fromhex("7856341243040107")
WARM = bytes.fromhex("7856341243040106")
GAS = bytes.fromhex("7856341243040103")
HCA = bytes.fromhex("7856341243040108")
COOLING = bytes.fromhex("785634124304010A")
BOTH = bytes.fromhex("785634124304010D")
ROOM = bytes.fromhex("785634124304011B")

CASES = {
    "push_mode5": dict(
        about="A customer interface as in Austria: link reset, then a frame in mode 5 with the time and the registers the old "
              "daemon knew, and some it did not.",
        input=RESET + frame(mode5(TIME + AMIS)), telegrams=[timed(AMIS_READINGS)], written="E5E5"),
    "push_two": dict(
        about="Two frames with toggled frame count bit, each acknowledged.",
        input=frame(mode5(h("04 03 01000000"))) + frame(mode5(h("04 03 02000000"), access=0x2B), control=0x53),
        telegrams=[[["255-255:1.8.0*255", 1, "Wh"]], [["255-255:1.8.0*255", 2, "Wh"]]], written="E5E5"),
    "push_plain": dict(
        about="Mode 0: nothing is encrypted.",
        input=frame(plain(h("04 03 01000000 2F2F 04 2B 02000000"))), written="E5",
        telegrams=[[["255-255:1.8.0*255", 1, "Wh"], ["255-255:1.7.0*255", 2, "W"]]]),
    "push_mode7": dict(
        about="Mode 7: key derived from counter and number, zero vector, authenticated.",
        input=frame(mode7(TIME + AMIS, h("11223344"), ci=0x5B)), telegrams=[timed(AMIS_READINGS)], written="E5"),
    "push_mode7_without_mac": dict(
        about="Mode 7 whose authentication layer has a counter only.",
        input=frame(mode7(h("04 03 01000000"), h("00000001"), authenticated=False)),
        telegrams=[[["255-255:1.8.0*255", 1, "Wh"]]], written="E5"),
    "wrong_key": dict(
        about="Encrypted with another key: no reading, no acknowledgement.",
        input=RESET + frame(mode5(AMIS, key=bytes(16))), telegrams=[], faults=["cannot be decrypted"], written="E5"),
    "wrong_key_mode7": dict(
        about="The same in mode 7, where the MAC tells.",
        input=frame(mode7(AMIS, h("11223344"), key=bytes(16))), telegrams=[], faults=["cannot be decrypted"], written=""),
    "mode13": dict(
        about="A mode that is not supported.",
        input=frame(header(0x5B, METER, 1, 0x0D10) + bytes(16)), telegrams=[], faults=["cannot be decrypted"], written=""),
    "too_few_bytes": dict(
        about="The header says more blocks than there are.",
        input=frame(header(0x5B, METER, 1, 0x0550) + bytes(16)), telegrams=[], faults=["GRAMMAR"], written=""),
    "broadcast": dict(
        about="A frame to everybody is read, and acknowledged by nobody.",
        input=frame(plain(h("04 03 01000000")), address=0xFF), telegrams=[[["255-255:1.8.0*255", 1, "Wh"]]], written=""),
    "not_for_us": dict(
        about="Requests and answers of others: neither readings nor acknowledgements.",
        input=short(0x5B, 1) + frame(plain(h("04 03 01000000"), ci=0x72), control=0x08, address=1) + b"\xe5",
        telegrams=[], written=""),
    "types": dict(
        about="Every data type: integers of 1 to 8 bytes, BCD of 2 to 12 digits, negative and invalid ones, real, variable length.",
        input=frame(plain(
            h("01 2B 81  02 2B FEFF  03 2B FFFFFF  04 FB 14 02000000  06 03 FFFFFFFFFF7F  07 03 0000000000000010 "
              "05 FD 48 00806643  09 FD 49 23  0A FD 49 2523  0B FD 58 563412  0C FD 59 78563412  0E 03 563412907856 "
              "0C 2B 785634F2  0A 2B 3A12  04 2B 00000080  02 2B 0080  05 2B 0000807F "
              "0D 03 C2 3412  0D 83 3C D2 3412  0D 2B E2 0201  0D FD 0C 03 434241  0D 2B 00 00 2B 08 2B"))),
        telegrams=[[
            ["1-0:1.7.0*255", -127, "W"], ["1-0:1.7.0*255", -2, "W"], ["1-0:1.7.0*255", -1, "W"], ["1-0:3.7.0*255", 2, "var"],
            ["1-0:1.8.0*255", 140737488355327, "Wh"], ["1-0:1.8.0*255", 1152921504606846976, "Wh"],
            ["1-0:12.7.0*255", 23.05, "V"], ["1-0:12.7.0*255", 23, "V"], ["1-0:12.7.0*255", 2325, "V"],
            ["1-0:11.7.0*255", 12.3456, "A"], ["1-0:11.7.0*255", 12345.678, "A"], ["1-0:1.8.0*255", 567890123456, "Wh"],
            ["1-0:1.7.0*255", -2345678, "W"],
            ["1-0:1.8.0*255", 1234, "Wh"], ["1-0:2.8.0*255", -1234, "Wh"], ["1-0:1.7.0*255", 258, "W"],
        ]], written="E5"),
    "electricity": dict(
        about="Phases, quadrants, tariffs, storage numbers, maxima, scales up and down.",
        input=frame(plain(
            h("04 06 01000000  04 00 E8030000  04 FB 01 01000000  84 10 03 05000000  84 20 03 06000000  84 40 03 07000000 "
              "44 03 08000000  C4 04 03 09000000  14 2B 0A000000  24 2B 0B000000 "
              "02 FD C8 FC 01 FC08  02 FD C8 FC 02 0009  02 FD C8 FC 03 0409  03 FD D9 FC 01 100000  03 FD D9 FC 04 010000 "
              "04 AB FC 81 3C 64000000  04 AB FC 0C 9CFFFFFF  04 FB 97 72 40E20100  02 FB 2D 8813  04 FB 82 F5 FC 09 01000000 "
              "02 FB B7 01 0100"))),
        telegrams=[[
            ["1-0:1.8.0*255", 1000, "Wh"], ["1-0:1.8.0*255", 1, "Wh"], ["1-0:1.8.0*255", 1000000, "Wh"],
            ["1-0:1.8.1*255", 5, "Wh"], ["1-0:1.8.2*255", 6, "Wh"], ["1-1:1.8.0*255", 7, "Wh"],
            ["1-0:1.8.0*1", 8, "Wh"], ["1-0:1.8.0*9", 9, "Wh"], ["1-0:1.6.0*255", 10, "W"], ["1-0:1.3.0*255", 11, "W"],
            ["1-0:32.7.0*255", 230, "V"], ["1-0:52.7.0*255", 230.4, "V"], ["1-0:72.7.0*255", 230.8, "V"],
            ["1-0:31.7.0*255", 0.016, "A"], ["1-0:91.7.0*255", 0.001, "A"],
            ["1-0:22.7.0*255", 100, "W"], ["1-0:16.7.0*255", -100, "W"], ["1-0:3.7.0*255", 12345.6, "var"],
            ["1-0:14.7.0*255", 50, "Hz"], ["1-0:6.8.0*255", 100, "varh"],
        ]], written="E5"),
    "no_guess": dict(
        about="What is not sure makes no reading: plain text units, manufacturer's fields, rates, limits, errors, values during an "
              "error, record errors; the manufacturer's data at the end are left alone.",
        input=frame(plain(
            h("04 7C 03 687756 01000000  04 FF 01 01000000  04 83 FF 04 01000000  04 93 22 01000000  04 AB 48 01000000 "
              "34 2B 01000000  04 83 15 01000000  04 AB 27 01000000  04 03 2A000000  0F 04 03 FFFFFFFF"))),
        telegrams=[[["255-255:1.8.0*255", 42, "Wh"]]], written="E5"),
    "heat": dict(
        about="A heat meter: energy in Wh and J, volume, flow, power, temperatures, set date, maximum, operating time, flags.",
        input=frame(plain(
            h("0C 06 78560000  0C 0E 08230300  0C 14 07951900  0B 3B 080800  0B 2D 050000  0A 5B 5200  02 5F 3300  02 61 DAFF "
              "4C 06 00500000  CC 04 06 00400000  1B 2D 100200  02 27 6400  02 FD 17 0400  04 6D 2D2C DC24  42 6C BF2C"), meter=HEAT)),
        telegrams=[[
            ["6-0:1.0.0*255", 5678000, "Wh"], ["6-0:1.0.0*255", 32308000000, "J"], ["6-0:2.0.0*255", 1995.07, "m3"],
            ["6-0:9.0.0*255", 0.808, "m3/h"], ["6-0:8.0.0*255", 500, "W"], ["6-0:10.0.0*255", 52, "°C"],
            ["6-0:11.0.0*255", 51, "°C"], ["6-0:12.0.0*255", -0.38, "K"], ["6-0:1.2.0*255", 5000000, "Wh"],
            ["6-0:1.0.0*9", 4000000, "Wh"], ["6-0:8.5.0*255", 21000, "W"], ["6-0:96.8.0*255", 100, "d"], ["6-0:97.97.0*255", 4, ""],
        ]], written="E5"),
    "heat_and_cooling": dict(
        about="Of a meter for both, what flows back is the cooling energy.",
        input=frame(plain(h("04 06 9A000000  04 86 3C 02000000"), meter=BOTH)),
        telegrams=[[["6-0:1.0.0*255", 154000, "Wh"], ["5-0:1.0.0*255", 2000, "Wh"]]], written="E5"),
    "water": dict(
        about="Water: the volume, that of the set date, the flow.",
        input=frame(plain(h("0C 13 78563412  4C 13 00000012  0B 3B 341200"), meter=WATER)) +
        frame(plain(h("04 13 01000000"), meter=WARM), control=0x53),
        telegrams=[[["8-0:1.0.0*255", 12345.678, "m3"], ["8-0:1.2.0*255", 12000, "m3"], ["8-0:2.0.0*255", 1.234, "m3/h"]],
                   [["9-0:1.0.0*255", 0.001, "m3"]]], written="E5E5"),
    "gas": dict(
        about="Gas: converted by temperature, at measurement and at base conditions.",
        input=frame(plain(h("0C 14 78563412  0C 94 3A 79563412  0C 94 3E 80563412  0A 3C 1200"), meter=GAS)),
        telegrams=[[["7-0:3.1.0*255", 123456.78, "m3"], ["7-0:3.0.0*255", 123456.79, "m3"], ["7-0:3.2.0*255", 123456.8, "m3"],
                    ["7-0:43.16.0*255", 0.12, "m3/h"]]], written="E5"),
    "allocator": dict(
        about="A heat cost allocator, a cooling meter and a room sensor.",
        input=frame(plain(h("0A 6E 3412  4A 6E 2211"), meter=HCA)) + frame(plain(h("04 06 01000000"), meter=COOLING), control=0x53) +
        frame(plain(h("02 65 9808  02 FB 1B F401"), meter=ROOM)),
        telegrams=[[["4-0:1.0.0*255", 1234, ""], ["4-0:1.2.0*255", 1122, ""]], [["5-0:1.0.0*255", 1000, "Wh"]],
                   [["0-0:96.9.0*255", 22, "°C"]]], written="E5E5E5"),
    "high_byte_first": dict(
        about="CI 76: the byte of highest value comes first.",
        input=frame(header(0x76, METER, 1, 0) + h("04 03 0000002A  0A 2B 0123  05 FD 49 3FC00000")),
        telegrams=[[["255-255:1.8.0*255", 42, "Wh"], ["1-0:1.7.0*255", 123, "W"], ["1-0:12.7.0*255", 1.5, "V"]]], written="E5"),
    "short_header": dict(
        about="CI 7A after a frame with a long header of the same meter, encrypted; CI 78 without any header.",
        input=frame(mode5(h("04 03 01000000"))) +
        frame((lambda d: bytes([0x7A]) + d[9:])(mode5(h("04 03 02000000"), access=0x2B)), control=0x53) +
        frame(h("78 04 03 03000000")),
        telegrams=[[["255-255:1.8.0*255", 1, "Wh"]], [["255-255:1.8.0*255", 2, "Wh"]], [["255-255:1.8.0*255", 3, "Wh"]]],
        written="E5E5E5"),
    "clock_wrong": dict(
        about="A meter's clock that is far off (2015) is not believed; one that says itself that it is invalid neither.",
        input=frame(plain(h("06 6D 42 24 D7 F4 16 19  04 03 01000000"))) +
        frame(plain(h("06 6D 0F 8D 17 EE 2B 00  04 03 02000000")), control=0x53),
        telegrams=[[["255-255:1.8.0*255", 1, "Wh"]], [["255-255:1.8.0*255", 2, "Wh"]]], written="E5E5"),
    "broken_record": dict(
        about="The last record ends early: what stands before it is read.",
        input=frame(plain(h("04 03 01000000  04 2B 0100"))), telegrams=[[["255-255:1.8.0*255", 1, "Wh"]]], faults=["GRAMMAR"],
        written="E5"),
    "wrong_checksum": dict(
        about="A wrong check sum: no reading, no acknowledgement; the next frame is read.",
        input=frame(plain(h("04 03 01000000")))[:-2] + h("FF 16") + frame(plain(h("04 03 02000000")), control=0x53),
        telegrams=[[["255-255:1.8.0*255", 2, "Wh"]]], faults=["CHECK"], written="E5"),
    "lost_byte": dict(
        about="A byte is lost: the frame behind it is read.",
        input=(lambda f: f[:20] + f[21:])(frame(plain(h("04 03 01000000")))) + frame(plain(h("04 03 02000000")), control=0x53),
        telegrams=[[["255-255:1.8.0*255", 2, "Wh"]]], faults=["GRAMMAR"], written="E5"),
    "longest": dict(
        about="The longest frame there is.",
        input=frame(plain(h("04 03 01000000") + b"\x2f" * 234)), telegrams=[[["255-255:1.8.0*255", 1, "Wh"]]], written="E5"),
}

NAMES = {"GRAMMAR": "malformed telegram", "CHECK": "wrong check value", "cannot be decrypted": "cannot be decrypted"}


def main():
    top = sys.argv[1]
    names = json.loads(sys.argv[2]) if len(sys.argv) > 2 else NAMES
    for name, case in CASES.items():
        folder = os.path.join(top, name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "input.bin"), "wb") as file:
            file.write(case["input"])
        with open(os.path.join(folder, "ABOUT.md"), "w", encoding="utf-8") as file:
            file.write(case["about"] + "\n\nMade by tests/support/oms_golden.py; no real meter.\n")
        expected = {"telegrams": case["telegrams"], "faults": [names[f] for f in case.get("faults", [])], "written": case["written"]}
        with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
            json.dump(expected, file, indent=1, ensure_ascii=False)
            file.write("\n")


main()
