// SPDX-License-Identifier: Apache-2.0
// Physical memory as regions that the host has allocated, and random pauses on a bus.

#pragma once

#include <cstdint>
#include <map>

class Memory {
   public:
    void add(uint64_t address, uint64_t size, uint8_t* bytes) { regions_[address] = {size, bytes}; }
    void remove(uint64_t address) { regions_.erase(address); }

    // The bytes of [address, address + size), or null where some of them are nowhere.
    uint8_t* find(uint64_t address, uint64_t size) const {
        auto after = regions_.upper_bound(address);
        if (after == regions_.begin()) return nullptr;
        const auto& [start, region] = *--after;
        return address + size <= start + region.size ? region.bytes + (address - start) : nullptr;
    }

   private:
    struct Region {
        uint64_t size;
        uint8_t* bytes;
    };
    std::map<uint64_t, Region> regions_;
};

// Says no in `percent` of the cycles, the same ones in every run.
class Pauses {
   public:
    int64_t percent = 0;

    bool now() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return int64_t(state_ >> 32) % 100 < percent;
    }

   private:
    uint64_t state_ = 0x9E3779B97F4A7C15;
};
