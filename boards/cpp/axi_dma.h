// SPDX-License-Identifier: Apache-2.0
// AMD's axi_dma in direct register mode (PG021), 64 bits, at the level of its registers and streams.
//
// Two channels: memory to stream (MM2S) at 0x00, stream to memory (S2MM) at 0x30. A write of LENGTH starts
// a transfer when RS is set. S2MM ends with TLAST and then shows the bytes that came; a packet that is
// longer than its buffer is an internal error, as is a length of zero; memory that is not there is a decode
// error. An error halts its channel until the reset.

#pragma once

#include <cstring>

#include "memory.h"

class AxiDma {
   public:
    explicit AxiDma(const Memory& memory, Pauses& pauses) : memory_(memory), pauses_(pauses) {}

    uint32_t read(uint32_t offset) const {
        const Channel& channel = offset < 0x30 ? send_ : receive_;
        switch (offset % 0x30) {
            case 0x00: return channel.control | (resetting_ ? RESET : 0);
            case 0x04: return status(channel);
            case 0x18: return uint32_t(channel.address);
            case 0x1C: return uint32_t(channel.address >> 32);
            case 0x28: return channel.length;
            default: return 0;
        }
    }

    void write(uint32_t offset, uint32_t value) {
        Channel& channel = offset < 0x30 ? send_ : receive_;
        switch (offset % 0x30) {
            case 0x00:
                channel.control = value & ~RESET;
                if (value & RESET) resetting_ = RESET_CYCLES;
                // Without RS a channel ends its transfer at the next beat.
                if (!(value & RUN)) channel.busy = false;
                break;
            case 0x04: channel.interrupts &= ~value; break;
            case 0x18: channel.address = (channel.address & ~0xFFFFFFFFull) | value; break;
            case 0x1C: channel.address = (channel.address & 0xFFFFFFFF) | uint64_t(value) << 32; break;
            case 0x28: start(channel, value & LENGTH_MASK); break;
            default: break;
        }
    }

    // Set the design's inputs of this cycle.
    template <typename Top>
    void drive(Top& top) {
        if (resetting_ > 0 && --resetting_ == 0) {
            send_ = receive_ = Channel();
            shown_ = false;
        }
        if (!shown_) show_beat(top);
        top.s_axis_tvalid = shown_;
        top.m_axis_tready = receive_.busy && !resetting_ && !pauses_.now();
    }

    // See what moves at the edge that ends this cycle; the inputs stay as they are until then.
    template <typename Top>
    void sample(const Top& top) {
        if (shown_ && top.s_axis_tready) {
            shown_ = false;
            if (send_.busy && (send_.moved += 8) >= send_.length) finish(send_);
        }
        if (top.m_axis_tvalid && top.m_axis_tready) take(top.m_axis_tdata, top.m_axis_tlast);
    }

   private:
    enum : uint32_t { RUN = 1, RESET = 4, HALTED = 1, IDLE = 2, INTERNAL = 0x10, DECODE = 0x40 };
    enum : uint32_t { COMPLETE = 0x1000, LENGTH_MASK = (1 << 26) - 1 };
    static constexpr int RESET_CYCLES = 16;
    static constexpr int LATENCY = 30;  // cycles until the first beat arrives from memory

    struct Channel {
        uint32_t control = 0x00010002, errors = 0, interrupts = 0, length = 0, moved = 0;
        uint64_t address = 0;
        int wait = 0;
        bool busy = false, ended = false;
    };

    static uint32_t status(const Channel& channel) {
        const bool halted = !(channel.control & RUN) || channel.errors;
        return (halted ? HALTED : 0) | (channel.ended && !halted ? IDLE : 0) | channel.errors |
               channel.interrupts;
    }

    static void fail(Channel& channel, uint32_t error) {
        channel.errors |= error;
        channel.busy = false;
    }

    static void finish(Channel& channel) {
        channel.busy = false;
        channel.ended = true;
        channel.interrupts |= COMPLETE;
    }

    void start(Channel& channel, uint32_t length) {
        if (!(channel.control & RUN) || channel.errors || channel.busy || resetting_) return;
        channel.length = length;
        channel.moved = 0;
        channel.ended = false;
        channel.wait = LATENCY;
        channel.busy = true;
        if (length == 0) fail(channel, INTERNAL);
    }

    template <typename Top>
    void show_beat(Top& top) {
        if (!send_.busy || resetting_) return;
        if (send_.wait > 0) {
            send_.wait--;
            return;
        }
        if (pauses_.now()) return;
        const uint32_t rest = send_.length - send_.moved, bytes = rest < 8 ? rest : 8;
        const uint8_t* from = memory_.find(send_.address + send_.moved, bytes);
        if (!from) return fail(send_, DECODE);
        uint64_t beat = 0;
        std::memcpy(&beat, from, bytes);
        top.s_axis_tdata = beat;
        top.s_axis_tlast = rest <= 8;
        shown_ = true;
    }

    void take(uint64_t beat, bool last) {
        if (receive_.moved + 8 > receive_.length) return fail(receive_, INTERNAL);
        uint8_t* to = memory_.find(receive_.address + receive_.moved, 8);
        if (!to) return fail(receive_, DECODE);
        std::memcpy(to, &beat, 8);
        receive_.moved += 8;
        if (last) {
            receive_.length = receive_.moved;
            finish(receive_);
        }
    }

    const Memory& memory_;
    Pauses& pauses_;
    Channel send_, receive_;
    int resetting_ = 0;
    bool shown_ = false;
};
