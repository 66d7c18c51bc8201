#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes wired M-Bus telegrams apart, written from EN 13757-3 alone and sharing nothing with src/protocols/oms: the oracle of
its test over captures.

usage: mbus_reference.py < lines of hexadecimal; for each record of a line it prints
    LINE HEAD FUNCTION STORAGE TARIFF SUBUNIT VALUE
where VALUE is an integer, a real, or `-`.
"""
import math
import struct
import sys

LENGTHS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 0, 9: 1, 10: 2, 11: 3, 12: 4, 14: 6}


def bcd(raw):
    digits = raw[::-1].hex()
    sign = 1
    if digits[:1] == "f":
        sign, digits = -1, digits[1:]
    return str(sign * int(digits)) if digits.isdigit() else "-"


def integer(raw):
    value = int.from_bytes(raw, "little", signed=True)
    return "-" if raw and value == -(1 << (8 * len(raw) - 1)) else str(value)


def value_of(coding, raw, variable):
    if not raw:
        return "-"
    if coding == 5:
        value = struct.unpack("<f", raw)[0]
        return repr(value) if math.isfinite(value) else "-"
    if coding in (9, 10, 11, 12, 14):
        return bcd(raw)
    if coding == 13:
        if 0xC0 <= variable <= 0xC9 or 0xD0 <= variable <= 0xD9:
            text = bcd(raw)
            return "-" + text if variable >= 0xD0 and text != "-" else text
        return integer(raw) if 0xE0 <= variable <= 0xE8 else "-"
    return integer(raw)


def records(data):
    at = 0
    while at < len(data):
        begin = at
        dif = data[at]
        at += 1
        if dif == 0x2F:
            continue
        if dif in (0x0F, 0x1F):
            return
        storage, tariff, subunit, last, n = dif >> 6 & 1, 0, 0, dif, 0
        while last & 0x80:
            last = data[at]
            at += 1
            storage |= (last & 15) << (1 + 4 * n)
            tariff |= (last >> 4 & 3) << (2 * n)
            subunit |= (last >> 6 & 1) << n
            n += 1
        vif = data[at]
        at += 1
        if vif & 0x7F == 0x7C:
            at += 1 + data[at]
        while vif & 0x80:
            vif = data[at]
            at += 1
        head = data[begin:at]
        coding, variable = dif & 15, 0
        if coding == 13:
            variable = data[at]
            at += 1
            if variable < 0xC0:
                length = variable
            elif variable < 0xE0:
                length = variable & 15
            else:
                length = variable - 0xE0 if variable < 0xF0 else 4 * (variable - 0xEC)
        else:
            length = LENGTHS[coding]
        raw = data[at:at + length]
        if len(raw) != length:
            return
        at += length
        yield head.hex().upper(), dif >> 4 & 3, storage, tariff, subunit, value_of(coding, raw, variable)


for number, line in enumerate(sys.stdin):
    frame = bytes.fromhex(line.strip())
    assert frame[0] == 0x68 and frame[6] == 0x72, "long header only"
    for record in records(frame[19:-2]):
        print(number, *record)
