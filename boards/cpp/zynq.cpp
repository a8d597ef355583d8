// SPDX-License-Identifier: Apache-2.0
// The Zynq shell around a core behind a C interface: registers over AXI, and the memory behind its DMA.
//
// `sbnn_zynq_open` has an AXI3 memory port, `sbnn_accelerator` streams, to which AMD's axi_dma is added
// here. The design's clock runs only inside these functions: a register access, and `gap` cycles after it
// for what the processor does until the next one.

#include "axi_dma.h"
#include "clocked.h"
#include "memory.h"
#include "memory_port.h"

namespace {

constexpr int64_t PATIENCE = 10000;  // cycles that an access may take

struct Zynq : Clocked {
    Memory memory;
    Pauses pauses;
    AxiDma dma{memory, pauses};
    MemoryPort port{memory, pauses};

    template <typename Top>
    void drive(Top& pins) {
        if constexpr (requires { pins.m_axi_arvalid; })
            port.drive(pins, cycle);
        else
            dma.drive(pins);
    }

    template <typename Top>
    void sample(Top& pins) {
        if constexpr (requires { pins.m_axi_arvalid; })
            port.sample(pins, cycle);
        else
            dma.sample(pins);
    }

    // One cycle; `seen` looks at the pins before the edge that ends it.
    template <typename Seen>
    void step(Seen seen) {
        drive(top);
        settle();
        seen();
        sample(top);
        tick();
    }

    void idle(int64_t cycles) {
        for (int64_t n = 0; n < cycles; n++) step([] {});
    }
};

// What AXI3 has beside AXI4-Lite: an access of one word is a burst of one beat.
template <typename Top>
void one_beat(Top& top) {
    if constexpr (requires { top.s_axi_awlen; }) {
        top.s_axi_awlen = top.s_axi_arlen = 0;
        top.s_axi_awsize = top.s_axi_arsize = 2;
        top.s_axi_awburst = top.s_axi_arburst = 1;
        top.s_axi_awid = 0x2A5;
        top.s_axi_arid = 0x15A;
        top.s_axi_wlast = 1;
    }
}

Zynq& of(void* handle) { return *static_cast<Zynq*>(handle); }

}  // namespace

extern "C" {

void* sbnn_open() {
    auto* zynq = new Zynq;
    auto& top = zynq->top;
    one_beat(top);
    top.s_axi_wstrb = 15;
    top.s_axi_bready = top.s_axi_rready = 1;
    top.s_axi_awvalid = top.s_axi_wvalid = top.s_axi_arvalid = 0;
    zynq->reset();
    return zynq;
}

void sbnn_close(void* handle) { delete &of(handle); }

// Add or remove (`bytes` null) a region of physical memory.
void sbnn_memory(void* handle, uint64_t address, uint64_t size, uint8_t* bytes) {
    if (bytes)
        of(handle).memory.add(address, size, bytes);
    else
        of(handle).memory.remove(address);
}

// Let the memory pause in `percent` of the cycles.
void sbnn_pauses(void* handle, int64_t percent) { of(handle).pauses.percent = percent; }

// Run the clock; returns the cycles since the start.
int64_t sbnn_clock(void* handle, int64_t cycles) {
    of(handle).idle(cycles);
    return of(handle).cycle;
}

// What the design did on its memory port that AXI3 forbids.
int64_t sbnn_faults(void* handle) { return of(handle).port.faults; }

// Read a register: its value, -1 without an answer, -2 after an error response.
int64_t sbnn_read(void* handle, uint32_t offset, int64_t gap) {
    auto& zynq = of(handle);
    auto& top = zynq.top;
    bool asked = false, answered = false;
    int64_t value = -1;
    for (int64_t n = 0; n < PATIENCE && !answered; n++) {
        top.s_axi_araddr = offset;
        top.s_axi_arvalid = !asked;
        zynq.step([&] {
            asked |= top.s_axi_arvalid && top.s_axi_arready;
            if (!top.s_axi_rvalid) return;
            answered = true;
            value = top.s_axi_rresp ? -2 : int64_t(top.s_axi_rdata);
        });
    }
    top.s_axi_arvalid = 0;
    zynq.idle(gap);
    return value;
}

// Write a register: 0, -1 without an answer, -2 after an error response.
int64_t sbnn_write(void* handle, uint32_t offset, uint32_t data, int64_t gap) {
    auto& zynq = of(handle);
    auto& top = zynq.top;
    bool addressed = false, sent = false, answered = false;
    int64_t value = -1;
    for (int64_t n = 0; n < PATIENCE && !answered; n++) {
        top.s_axi_awaddr = offset;
        top.s_axi_wdata = data;
        top.s_axi_awvalid = !addressed;
        top.s_axi_wvalid = !sent;
        zynq.step([&] {
            addressed |= top.s_axi_awvalid && top.s_axi_awready;
            sent |= top.s_axi_wvalid && top.s_axi_wready;
            if (!top.s_axi_bvalid) return;
            answered = true;
            value = top.s_axi_bresp ? -2 : 0;
        });
    }
    top.s_axi_awvalid = top.s_axi_wvalid = 0;
    zynq.idle(gap);
    return value;
}

// The registers of the axi_dma beside `sbnn_accelerator`.
int64_t sbnn_dma_read(void* handle, uint32_t offset, int64_t gap) {
    of(handle).idle(gap);
    return of(handle).dma.read(offset);
}

void sbnn_dma_write(void* handle, uint32_t offset, uint32_t data, int64_t gap) {
    of(handle).dma.write(offset, data);
    of(handle).idle(gap);
}
}
