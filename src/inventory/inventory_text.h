// The text form of an inventory: captured once, planned anywhere.
//
// Lines of fields, versioned, strict, with a checksum; graphs of later tiers say only in what they
// differ from the tier before. Grammar and example: docs/formats/inventory.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "inventory/inventory.h"

namespace pshard {

// A node without storage is written as having none, whatever its `storage` says.
std::string to_text(const Inventory& inventory);

// The inverse of to_text. Whatever it accepts is sound: every Ref points to something, a node reads
// only what stands before it, tiers ascend, the alignment is a power of two.
//
// `file_name` is what an Error's place names. Fails, with line and column and what was expected, on
// anything else: another version, a missing or unknown field, a number out of range, a count of
// more records than the text can hold, a wrong checksum, text after the end.
Result<Inventory> inventory_from_text(std::string_view text, std::string_view file_name);

}  // namespace pshard
