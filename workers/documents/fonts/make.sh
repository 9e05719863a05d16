#!/bin/sh
# Makes the two faces embedded in tickets from the DejaVu fonts of Debian's fonts-dejavu-core.
# Latin, Greek, Cyrillic, punctuation, currencies and the replacement characters; no hinting
# (it triples the size and paper does not need it), no shaping tables (we place glyph by glyph).
# A thousand units per em instead of 2048 are finer than print and a tenth smaller when deflated.
set -eu
cd "$(dirname "$0")"
source_dir=${1:-/usr/share/fonts/truetype/dejavu}
unicodes=U+0020-007E,U+00A0-00AC,U+00AE-024F,U+02BB-02BC,U+02C6-02C7,U+02D8-02DD
unicodes=$unicodes,U+0370-0377,U+037A-037E,U+0384-03FF,U+0400-0525,U+1E00-1EF9,U+1F00-1FFE
unicodes=$unicodes,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+202F,U+2030,U+2032-2033,U+2039-203A,U+2044
unicodes=$unicodes,U+20A0-20BF,U+2113,U+2116,U+2122,U+2126,U+2190-2193,U+2212,U+2215,U+25A1,U+FFFD
for face in DejaVuSans DejaVuSans-Bold; do
    pyftsubset "$source_dir/$face.ttf" --unicodes="$unicodes" --output-file="$face.subset.ttf" \
        --no-hinting --desubroutinize --layout-features='' --drop-tables+=GSUB,GPOS,GDEF,MATH,gasp,kern,FFTM \
        --notdef-outline --name-IDs=6 --no-recalc-timestamp
    /usr/bin/env python3 - "$face.subset.ttf" <<'PYTHON'
import sys
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem

font = TTFont(sys.argv[1], recalcTimestamp=False)
scale_upem(font, 1000)
font.save(sys.argv[1])
PYTHON
done
