#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: what `xz -9` does, with the same library. Usage: compress.py FILE > FILE.xz

Debian 13's xz puts itself under Landlock, which cannot be saved; the library does not.
"""
import lzma
import os
import sys


def main():
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 4 << 20}]
    compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=filters)
    with open(sys.argv[1], "rb", buffering=0) as data:
        while chunk := data.read(1 << 18):
            os.write(1, compressor.compress(chunk))
    os.write(1, compressor.flush())


main()
