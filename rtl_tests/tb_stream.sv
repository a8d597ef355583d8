// SPDX-License-Identifier: Apache-2.0
// A core from an all-X power-up, in four states: every profile of stalls, then resets in mid-stream.
//
// Whatever AXI-Stream leaves open is X: everything before the first reset, TDATA and TLAST while TVALID is low,
// the spare bits of an image's last beat, every input during a reset; whether an image's last beat has TLAST is
// drawn. Now and then an image is cut off by an early TLAST, and sent again. Every beat that comes out is compared
// with ===. After the profiles, each with the whole sequence of images, come RESETS resets of one to three cycles:
// the stream goes on from some other image, and is broken off again at some cycle after its first result.
`timescale 1ns / 1ps
`default_nettype none

module tb_stream;
  localparam int PER_IMAGE = `BEATS / `IMAGES;
  localparam int PER_RESULT = `WANTED / `IMAGES;

  reg                    aclk = 0;
  reg                    aresetn;
  reg  [`IN_BITS-1:0]    s_axis_tdata;
  reg                    s_axis_tvalid, s_axis_tlast, m_axis_tready;
  wire                   s_axis_tready, m_axis_tvalid, m_axis_tlast;
  wire [`OUT_BITS-1:0]   m_axis_tdata;
  `TOP u (.*);

  reg [`IN_BITS-1:0]   beats [0:`BEATS-1];
  reg [`OUT_BITS-1:0]  wanted [0:`WANTED-1];
  integer profile, cycle, sent, received, total, failures = 0;
  integer first_in, first_out, since;
  integer cut, part;  // beats of a cut image, and how many of them were sent
  reg offered, held, held_last, sending, receiving, whole;
  reg [`OUT_BITS-1:0] held_data;

  task automatic fail(input [8*40-1:0] what);
    $display("FAIL profile %0d cycle %0d beat %0d: %0s", profile, cycle, received, what);
    failures = failures + 1;
    if (failures > 10) $finish;
  endtask

  function automatic reg chance(input integer percent);
    chance = $urandom_range(99) < percent;
  endfunction

  // Whether the sender begins a beat and the receiver is ready in this cycle.
  task automatic choose;
    case (profile)
      0: {sending, receiving} = 2'b11;
      1: {sending, receiving} = {chance(70), chance(60)};
      2: {sending, receiving} = {chance(10), 1'b1};
      3: {sending, receiving} = {1'b1, chance(10)};
      4: {sending, receiving} = {chance(30), chance(30)};
      5: {sending, receiving} = {sending ^ chance(10), 1'b1};
      6: {sending, receiving} = {1'b1, receiving ^ chance(10)};
      7: {sending, receiving} = {sending ^ chance(10), receiving ^ chance(10)};
      8: {sending, receiving} = {cycle % 2 == 0, cycle % 2 == 1};
      9: {sending, receiving} = {1'b1, m_axis_tvalid === 1'b1 && chance(50)};  // ready only after valid
      10: {sending, receiving} = {1'b1, m_axis_tvalid !== 1'b1 || chance(30)};  // ready withdrawn
      default: {sending, receiving} = {1'b1, cycle / `SPAN % 2 == 1};  // all queues full, then empty
    endcase
  endtask

  task automatic reset(input integer cycles);
    aresetn = 0;
    {s_axis_tdata, s_axis_tvalid, s_axis_tlast, m_axis_tready} = 'x;
    repeat (cycles) begin
      #5 aclk = 1;
      #5 aclk = 0;
    end
    aresetn = 1;
    {offered, held, whole, sending, receiving} = 5'b00011;
    {cycle, sent, received, first_in, first_out, cut, part} = '0;
  endtask

  // One cycle of a stream that began with image `first` and sends no more than `limit` beats.
  task automatic step(input integer first, input integer limit);
    choose;
    if (!offered && sent < limit && sending) begin
      offered = 1;
      if (PER_IMAGE > 1 && profile != 0 && cut == 0 && !whole && sent % PER_IMAGE == 0 && chance(5))
        cut = $urandom_range(PER_IMAGE - 1, 1);
    end
    s_axis_tvalid = offered;
    s_axis_tdata = 'x;
    s_axis_tlast = 'x;
    if (offered) begin
      s_axis_tdata = beats[(first * PER_IMAGE + sent + part) % `BEATS];
      s_axis_tlast = sent % PER_IMAGE == PER_IMAGE - 1;
      if (cut != 0) s_axis_tlast = part == cut - 1;
      else if (s_axis_tlast) begin
        s_axis_tdata = s_axis_tdata | ('x << `TAIL_BITS);
        s_axis_tlast = chance(50);
      end
    end
    m_axis_tready = receiving;
    #4;
    if (^s_axis_tready === 1'bx) fail("s_axis_tready is X");
    if (^m_axis_tvalid === 1'bx) fail("m_axis_tvalid is X");
    if (held && m_axis_tvalid !== 1'b1) fail("m_axis_tvalid fell before the beat was taken");
    if (m_axis_tvalid === 1'b1) begin
      if (^m_axis_tdata === 1'bx) fail("m_axis_tdata is X");
      if (^m_axis_tlast === 1'bx) fail("m_axis_tlast is X");
      if (held && {m_axis_tdata, m_axis_tlast} !== {held_data, held_last}) fail("a stalled beat changed");
      if (received / PER_RESULT >= (sent + PER_IMAGE - 1) / PER_IMAGE) fail("a result of no image");
      if (m_axis_tdata !== wanted[(first * PER_RESULT + received) % `WANTED]) fail("m_axis_tdata is wrong");
      if (m_axis_tlast !== (received % PER_RESULT == PER_RESULT - 1)) fail("m_axis_tlast is wrong");
      if (receiving) begin
        if (received == 0) first_out = cycle;
        if (profile == 0 && received % PER_RESULT == 0) begin
          if (received / PER_RESULT > `WARM && cycle - since != `INTERVAL) fail("the interval is wrong");
          since = cycle;
        end
        received = received + 1;
        total = total + 1;
      end
    end
    held = m_axis_tvalid === 1'b1 && !receiving;
    held_data = m_axis_tdata;
    held_last = m_axis_tlast;
    if (offered && s_axis_tready === 1'b1) begin
      if (sent == 0) first_in = cycle;
      offered = 0;
      if (cut == 0) begin
        sent = sent + 1;
        whole = 0;
      end else begin
        part = part + 1;
        if (part == cut) {cut, part, whole} = 65'b1;  // now the whole of it
      end
    end
    #1 aclk = 1;
    #5 aclk = 0;
    cycle = cycle + 1;
  endtask

  integer n, first, rest;
  initial begin
    $readmemh("beats.hex", beats);
    $readmemh("wanted.hex", wanted);
    total = 0;
    for (n = 0; n < `PROFILES; n = n + 1) begin
      profile = n;
      reset(1);
      // Windows step through leading padding before any image comes.
      if (n == 0) while (cycle < `SETTLE) step(0, 0);
      while (received < `WANTED && cycle < `LIMIT) step(0, `BEATS);
      if (received != `WANTED) fail("beats are missing");
      if (n == 0 && first_out - first_in != `LATENCY) fail("the latency is wrong");
      repeat (`SPAN) step(0, `BEATS);  // nothing comes of nothing
    end
    for (n = 0; n < `RESETS; n = n + 1) begin
      profile = n % 2 ? 1 : $urandom_range(11);
      reset(1 + n % 3);
      first = $urandom_range(`IMAGES - 1);
      if (n % 4 == 0) repeat ($urandom_range(`SPAN)) step(first, 0);
      while (received < PER_RESULT && cycle < `LIMIT) step(first, 1 << 30);
      if (received < PER_RESULT) fail("no result after a reset");
      rest = $urandom_range(`SPAN);
      while (rest > 0) begin
        step(first, 1 << 30);
        rest = rest - 1;
      end
    end
    if (failures == 0) $display("PASS %0d beats", total);
    $finish;
  end
endmodule

`default_nettype wire
