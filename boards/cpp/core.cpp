// SPDX-License-Identifier: Apache-2.0
// A generated core behind a C interface: all images in, all results out, in one call.

#include "clocked.h"

namespace {

enum Answer : int64_t { DONE = 0, NO_PROGRESS = -1, WRONG_LAST = -2 };
constexpr int64_t PATIENCE = 100000;  // cycles without a beat; no core waits a hundredth of it

}  // namespace

extern "C" {

void* sbnn_open() {
    auto* core = new Clocked;
    core->top.s_axis_tvalid = 0;
    core->top.m_axis_tready = 1;
    core->reset();
    return core;
}

void sbnn_close(void* handle) { delete static_cast<Clocked*>(handle); }

// Send `images` images of `in_beats` beats of `in_bytes` bytes, as fast as the core takes them, and take
// every result at once. marks[3 * n] = cycle of image n's first beat in, of its first and of its last
// beat out. Returns an Answer.
int64_t sbnn_run(void* handle, const uint8_t* in, int64_t images, int64_t in_beats, int64_t in_bytes,
                 uint8_t* out, int64_t out_beats, int64_t out_bytes, int64_t* marks) {
    auto& core = *static_cast<Clocked*>(handle);
    auto& top = core.top;
    const int64_t to_send = images * in_beats, to_take = images * out_beats;
    int64_t sent = 0, taken = 0, last_beat = core.cycle;
    while (taken < to_take) {
        top.s_axis_tvalid = sent < to_send;
        if (sent < to_send) {
            put_bytes(top.s_axis_tdata, in + sent * in_bytes, in_bytes);
            top.s_axis_tlast = sent % in_beats == in_beats - 1;
        }
        core.settle();
        if (top.s_axis_tvalid && top.s_axis_tready) {
            if (sent % in_beats == 0) marks[3 * (sent / in_beats)] = core.cycle;
            sent++;
            last_beat = core.cycle;
        }
        if (top.m_axis_tvalid) {
            const int64_t image = taken / out_beats, beat = taken % out_beats;
            get_bytes(out + taken * out_bytes, top.m_axis_tdata, out_bytes);
            if (bool(top.m_axis_tlast) != (beat == out_beats - 1)) return WRONG_LAST;
            if (beat == 0) marks[3 * image + 1] = core.cycle;
            marks[3 * image + 2] = core.cycle;
            taken++;
            last_beat = core.cycle;
        }
        if (core.cycle - last_beat > PATIENCE) return NO_PROGRESS;
        core.tick();
    }
    top.s_axis_tvalid = 0;
    return DONE;
}
}
