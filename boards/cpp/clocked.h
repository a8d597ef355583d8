// SPDX-License-Identifier: Apache-2.0
// A Verilated module with one clock, driven cycle by cycle.
//
// A cycle: inputs change while the clock is low, `settle` shows the outputs that follow from them, then
// `tick` is the rising edge. A beat moves where valid and ready are both high between the two.

#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "Vtop.h"
#include "verilated.h"

struct Clocked {
    VerilatedContext context;
    Vtop top{&context};
    int64_t cycle = 0;

    void settle() { top.eval(); }

    void tick() {
        top.aclk = 1;
        top.eval();
        top.aclk = 0;
        cycle++;
    }

    void reset() {
        top.aclk = 0;
        top.aresetn = 0;
        for (int n = 0; n < 4; n++) {
            settle();
            tick();
        }
        top.aresetn = 1;
    }
};

// Ports of up to 64 bits are integers in Verilator's C++, wider ones are arrays of 32-bit words.
template <typename Port>
void put_bytes(Port& port, const uint8_t* bytes, int64_t size) {
    if constexpr (std::is_integral_v<Port>) {
        port = 0;
        std::memcpy(&port, bytes, size);
    } else {
        std::memcpy(port.data(), bytes, size);
    }
}

template <typename Port>
void get_bytes(uint8_t* bytes, const Port& port, int64_t size) {
    if constexpr (std::is_integral_v<Port>)
        std::memcpy(bytes, &port, size);
    else
        std::memcpy(bytes, port.data(), size);
}
