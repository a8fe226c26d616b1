// The text form of an inventory: captured once, planned anywhere.
//
// The text is made of lines of fields and has a version and a checksum. The graph of a later tier
// says only how it differs from the graph before. Grammar and example: docs/formats/inventory.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "inventory/inventory.h"

namespace pshard {

// A node without has_storage is written as having no storage, whatever its `storage` holds.
std::string to_text(const Inventory& inventory);

// The inverse of to_text. An inventory that it accepts is sound: every Ref points to something, a
// node reads only what stands before it, tiers ascend, and the alignment is a power of two.
//
// Fails on anything else: another version, a missing or unknown field, a number out of range, a
// count of more records than the text can hold, a wrong checksum, text after the end. The Error
// names line, column and what was expected there; its place names the file `file_name`.
Result<Inventory> inventory_from_text(std::string_view text, std::string_view file_name);

}  // namespace pshard
