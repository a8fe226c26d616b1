#!/usr/bin/env bash
# scripts/slim-cuda-backend keeps one architecture's code, and every byte else in its place.
set -euo pipefail
cd "$PSHARD_SOURCE_DIR"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# 5 bytes, a fat binary of 16 + 2 * (32 + 4) bytes with code for 89 and 90, 3 bytes; then one whose size is a lie.
node - "$folder/library" <<'JS'
const fs = require('fs')
function entry(architecture, code) {
    const header = Buffer.alloc(32)
    header.writeUInt16LE(2, 0)
    header.writeUInt32LE(32, 4)
    header.writeBigUInt64LE(BigInt(code.length), 8)
    header.writeUInt32LE(architecture, 28)
    return Buffer.concat([header, Buffer.from(code)])
}
function fatBinary(entries, bytes) {
    const header = Buffer.alloc(16)
    header.writeUInt32LE(0xba55ed50, 0)
    header.writeUInt16LE(1, 4)
    header.writeUInt16LE(16, 6)
    header.writeBigUInt64LE(BigInt(bytes), 8)
    return Buffer.concat([header, ...entries])
}
const both = [entry(89, 'old!'), entry(90, 'new!')]
fs.writeFileSync(process.argv[2], Buffer.concat([Buffer.from('begin'), fatBinary(both, 72), Buffer.from('end'),
                                                 fatBinary([entry(89, 'lie!')], 1 << 20)]))
JS

scripts/slim-cuda-backend "$folder/library" "$folder/slim" 90
[[ $(stat -c %s "$folder/slim") == $(stat -c %s "$folder/library") ]] || { echo 'another size'; exit 1; }
grep -q 'new!' "$folder/slim" || { echo 'the code for 90 is gone'; exit 1; }
grep -q 'old!' "$folder/slim" && { echo 'the code for 89 is still there'; exit 1; }
grep -q 'lie!' "$folder/slim" || { echo 'a binary of a wrong size was written to'; exit 1; }
cmp -n 53 "$folder/library" "$folder/slim"
if said=$(scripts/slim-cuda-backend "$folder/library" "$folder/none" 75 2>&1); then echo 'it found 75'; exit 1; fi
[[ $said == *'only for: 89, 90'* && ! -e $folder/none ]] || { echo "$said"; exit 1; }
