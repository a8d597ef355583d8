// SPDX-License-Identifier: Apache-2.0
//
// Counts images into and out of the core, and gives the last result of a batch its TLAST.
//
// One entry per image in flight says whether the image ended its batch (TLAST in). TLAST before an image's
// last beat makes the core drop that part; the entry then asks for one beat of zeros with TLAST behind the
// batch's results, so that whoever waits for the end of the batch gets one. No data here, only handshakes:
// both streams pass through without a register. Cost: IN_FLIGHT entries of 2 bits and the counters.
`default_nettype none

module sbnn_batch #(
    parameter IMAGE_BEATS = 13,
    parameter IN_FLIGHT   = 16   // a power of two; images in the core at full rate, and some more
) (
    input  wire         aclk,
    input  wire         aresetn,
    input  wire         each_image,    // every image is a batch of its own
    // Images, from the source to the core.
    input  wire         in_valid,
    input  wire         in_last,
    output wire         in_ready,
    output wire         core_valid,
    output wire         core_last,
    input  wire         core_ready,
    // Results, from the core to the sink.
    input  wire         result_valid,
    input  wire         result_last,
    output wire         result_ready,
    output wire         out_valid,
    output wire         out_zero,      // this beat is zeros, not the core's
    output wire         out_last,
    input  wire         out_ready,
    // What happens.
    output wire         busy,          // an image has been begun or is in the core
    output wire         short_image,
    // Counters; they survive aresetn and start anew with clear.
    input  wire         clear,
    output logic [31:0] images_in_q,
    output logic [31:0] images_out_q,
    output logic [31:0] batch_cycles_q,
    output logic [31:0] stall_in_q,
    output logic [31:0] stall_out_q
);
  localparam BEAT_BITS = IMAGE_BEATS > 1 ? $clog2(IMAGE_BEATS) : 1;
  localparam FLIGHT_BITS = $clog2(IN_FLIGHT + 1);

  logic [BEAT_BITS-1:0] beat_q;
  logic [FLIGHT_BITS-1:0] flight_q;
  logic [31:0] timer_q;
  logic running_q;
  wire whole, last, full, beat, ends, pop, entry_valid, entry_short, entry_last, done;

  assign whole = beat_q == BEAT_BITS'(IMAGE_BEATS - 1);
  assign last = each_image ? whole : in_last;
  assign full = flight_q == FLIGHT_BITS'(IN_FLIGHT);
  assign core_valid = in_valid && !((whole || last) && full);
  assign core_last = last;
  assign in_ready = core_ready && !((whole || last) && full);
  assign beat = in_valid && in_ready;
  assign ends = beat && (whole || last);
  assign short_image = beat && last && !whole;

  assign out_zero = entry_valid && entry_short;
  assign out_valid = out_zero || result_valid;
  assign out_last = out_zero || (result_last && entry_last);
  assign result_ready = out_ready && !out_zero;
  assign pop = out_valid && out_ready && (out_zero || result_last);
  assign busy = flight_q != '0 || beat_q != '0;
  // The last result of a batch has gone and nothing of another one has come.
  assign done = pop && out_last && flight_q == FLIGHT_BITS'(1) && beat_q == '0 && !beat;

  sbnn_fifo #(
      .WIDTH(2),
      .DEPTH(IN_FLIGHT)
  ) u_flight (
      .aclk(aclk),
      .aresetn(aresetn),
      .push(ends),
      .in_data({!whole, last}),
      .valid(entry_valid),
      .pop(pop),
      .out_data({entry_short, entry_last})
  );

  always_ff @(posedge aclk) begin
    if (beat) beat_q <= ends ? '0 : beat_q + 1'b1;
    flight_q <= flight_q + FLIGHT_BITS'(ends) - FLIGHT_BITS'(pop);
    timer_q  <= running_q ? timer_q + 32'd1 : 32'd1;
    if (beat) running_q <= 1'b1;
    else if (done) running_q <= 1'b0;
    if (!aresetn) begin
      beat_q <= '0;
      flight_q <= '0;
      running_q <= 1'b0;
    end
  end

  always_ff @(posedge aclk) begin
    if (clear) begin
      images_in_q <= '0;
      images_out_q <= '0;
      stall_in_q <= '0;
      stall_out_q <= '0;
      batch_cycles_q <= '0;
    end else if (aresetn) begin
      if (beat && whole) images_in_q <= images_in_q + 32'd1;
      if (pop && !out_zero) images_out_q <= images_out_q + 32'd1;
      if (in_valid && !in_ready) stall_in_q <= stall_in_q + 32'd1;
      if (out_valid && !out_ready) stall_out_q <= stall_out_q + 32'd1;
      if (done) batch_cycles_q <= timer_q + 32'd1;
    end
  end
endmodule
`default_nettype wire
