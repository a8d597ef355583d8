// SPDX-License-Identifier: Apache-2.0
// A generated core from an all-X power-up, in four states: no X where the ports claim to say something.
//
// Whatever AXI-Stream leaves open is X: everything before the first reset, TDATA and TLAST while TVALID is low,
// the spare bits of an image's last beat, every input during a reset. One cycle of reset, a stream broken off
// by a second one, then all images; each beat is compared with ===.
`timescale 1ns / 1ps
`default_nettype none

module tb_x;
  localparam int PER_IMAGE = `BEATS / `IMAGES;
  localparam int FIRST_CYCLES = 300;

  reg                    aclk = 0;
  reg                    aresetn;
  reg  [`IN_BITS-1:0]    s_axis_tdata;
  reg                    s_axis_tvalid, s_axis_tlast, m_axis_tready;
  wire                   s_axis_tready, m_axis_tvalid, m_axis_tlast;
  wire [`OUT_BITS-1:0]   m_axis_tdata;
  `TOP u (.*);

  reg [`IN_BITS-1:0]   beats [0:`BEATS-1];
  reg [`OUT_BITS-1:0]  wanted [0:`WANTED-1];
  integer phase, cycle, sent, received, failures = 0;
  reg offered;

  task automatic fail(input [8*40-1:0] what);
    $display("FAIL phase %0d cycle %0d: %0s", phase, cycle, what);
    failures = failures + 1;
  endtask

  initial begin
    $readmemh("beats.hex", beats);
    $readmemh("wanted.hex", wanted);
    #5;
    for (phase = 0; phase < 2; phase = phase + 1) begin
      aresetn = 0;
      {s_axis_tdata, s_axis_tvalid, s_axis_tlast, m_axis_tready} = 'x;
      #1 aclk = 1;
      #5 aclk = 0;
      aresetn = 1;
      sent = 0;
      received = 0;
      offered = 0;
      for (cycle = 0; received < `WANTED && cycle < (phase ? `LIMIT : FIRST_CYCLES); cycle = cycle + 1) begin
        if (!offered) offered = sent < `BEATS && $urandom_range(99) < 70;
        s_axis_tvalid = offered;
        s_axis_tdata = 'x;
        s_axis_tlast = 'x;
        if (offered) begin
          s_axis_tlast = sent % PER_IMAGE == PER_IMAGE - 1;
          s_axis_tdata = beats[sent];
          if (s_axis_tlast) s_axis_tdata = s_axis_tdata | ('x << `TAIL_BITS);
        end
        m_axis_tready = $urandom_range(99) < 60;
        #4;
        if (^s_axis_tready === 1'bx) fail("s_axis_tready is X");
        if (^m_axis_tvalid === 1'bx) fail("m_axis_tvalid is X");
        if (m_axis_tvalid === 1'b1) begin
          if (^m_axis_tdata === 1'bx) fail("m_axis_tdata is X");
          if (^m_axis_tlast === 1'bx) fail("m_axis_tlast is X");
          if (m_axis_tdata !== wanted[received]) fail("m_axis_tdata is wrong");
        end
        if (failures > 10) $finish;
        if (m_axis_tvalid && m_axis_tready) received = received + 1;
        if (offered && s_axis_tready === 1'b1) begin
          sent = sent + 1;
          offered = 0;
        end
        #1 aclk = 1;
        #5 aclk = 0;
      end
    end
    if (received != `WANTED) fail("beats are missing");
    if (failures == 0) $display("PASS %0d beats in %0d cycles", received, cycle);
    $finish;
  end
endmodule

`default_nettype wire
