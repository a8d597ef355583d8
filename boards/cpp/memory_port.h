// SPDX-License-Identifier: Apache-2.0
// A memory port of the processor (S_AXI_HP): AXI3 slave, 64 bits, several bursts under way, in order.
//
// Counts what no master may do: bursts that are not INCR of 64-bit beats or cross 4 KiB, WLAST or WID that
// do not fit the address. Memory that is not there answers DECERR.

#pragma once

#include <cstring>
#include <deque>

#include "memory.h"

class MemoryPort {
   public:
    int64_t faults = 0;

    explicit MemoryPort(const Memory& memory, Pauses& pauses) : memory_(memory), pauses_(pauses) {}

    // Set the design's inputs of this cycle.
    template <typename Top>
    void drive(Top& top, int64_t cycle) {
        top.m_axi_arready = reads_.size() < DEPTH && !pauses_.now();
        top.m_axi_awready = writes_.size() < DEPTH && !pauses_.now();
        top.m_axi_wready = !writes_.empty() && !pauses_.now();
        if (!read_shown_ && !reads_.empty() && reads_.front().due <= cycle && !pauses_.now()) {
            const Burst& burst = reads_.front();
            const uint8_t* from = memory_.find(burst.address + 8 * burst.beat, 8);
            uint64_t beat = 0;
            if (from) std::memcpy(&beat, from, 8);
            top.m_axi_rdata = beat;
            top.m_axi_rresp = from ? OKAY : DECERR;
            top.m_axi_rid = burst.id;
            top.m_axi_rlast = burst.beat == burst.len;
            read_shown_ = true;
        }
        if (!answer_shown_ && !answers_.empty() && answers_.front().due <= cycle && !pauses_.now()) {
            top.m_axi_bid = answers_.front().id;
            top.m_axi_bresp = answers_.front().failed ? DECERR : OKAY;
            answer_shown_ = true;
        }
        top.m_axi_rvalid = read_shown_;
        top.m_axi_bvalid = answer_shown_;
    }

    // See what moves at the edge that ends this cycle; the inputs stay as they are until then.
    template <typename Top>
    void sample(const Top& top, int64_t cycle) {
        if (read_shown_ && top.m_axi_rready) {
            read_shown_ = false;
            if (reads_.front().beat++ == reads_.front().len) reads_.pop_front();
        }
        if (answer_shown_ && top.m_axi_bready) {
            answer_shown_ = false;
            answers_.pop_front();
        }
        if (top.m_axi_wvalid && top.m_axi_wready) store(top, cycle);
        if (top.m_axi_arvalid && top.m_axi_arready) {
            check(top.m_axi_araddr, top.m_axi_arlen, top.m_axi_arsize, top.m_axi_arburst);
            reads_.push_back({top.m_axi_araddr, top.m_axi_arlen, top.m_axi_arid, cycle + LATENCY});
        }
        if (top.m_axi_awvalid && top.m_axi_awready) {
            check(top.m_axi_awaddr, top.m_axi_awlen, top.m_axi_awsize, top.m_axi_awburst);
            writes_.push_back({top.m_axi_awaddr, top.m_axi_awlen, top.m_axi_awid, 0});
        }
    }

   private:
    enum : uint8_t { OKAY = 0, DECERR = 3 };
    static constexpr size_t DEPTH = 8;
    static constexpr int64_t LATENCY = 30;

    struct Burst {
        uint64_t address;
        uint32_t len, id;
        int64_t due;
        uint32_t beat = 0;
        bool failed = false;
    };

    void check(uint64_t address, uint32_t len, uint32_t size, uint32_t burst) {
        const uint64_t end = address + 8 * len + 7;
        faults += len > 15 || size != 3 || burst != 1 || address % 8 || address >> 12 != end >> 12;
    }

    template <typename Top>
    void store(const Top& top, int64_t cycle) {
        Burst& burst = writes_.front();
        uint8_t* to = memory_.find(burst.address + 8 * burst.beat, 8);
        const uint64_t beat = top.m_axi_wdata;
        for (int n = 0; to && n < 8; n++)
            if (top.m_axi_wstrb >> n & 1) to[n] = uint8_t(beat >> 8 * n);
        burst.failed |= !to;
        faults += bool(top.m_axi_wlast) != (burst.beat == burst.len) || top.m_axi_wid != burst.id;
        if (burst.beat++ == burst.len) {
            burst.due = cycle + LATENCY;
            answers_.push_back(burst);
            writes_.pop_front();
        }
    }

    const Memory& memory_;
    Pauses& pauses_;
    std::deque<Burst> reads_, writes_, answers_;
    bool read_shown_ = false, answer_shown_ = false;
};
