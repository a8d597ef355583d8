// SPDX-License-Identifier: Apache-2.0
// sbnn_batch: every image that ended has its results, or one beat of zeros, in order; TLAST ends a batch.
//
// `mark` lets the solver pick any one image to follow; `ahead` counts the images that are answered before
// it. The core gives results only for whole images that it got, and like the source keeps to what it offers.
`default_nettype none

module prove_batch #(
  parameter int IMAGE_BEATS = 3,
  parameter int IN_FLIGHT = 4
) (
  input wire  aclk,
  input wire  aresetn,
  input wire  each_image,
  input wire  in_valid,
  input wire  in_last,
  input wire  core_ready,
  input wire  result_valid,
  input wire  result_last,
  input wire  out_ready,
  input wire  clear,
  input wire  mark
);
  localparam int BEAT_BITS = IMAGE_BEATS > 1 ? $clog2(IMAGE_BEATS) : 1;
  localparam int FLIGHT_BITS = $clog2(IN_FLIGHT + 1);
  localparam int PLACE_W = $clog2(IN_FLIGHT);

  wire         in_ready, core_valid, core_last, result_ready, out_valid, out_zero, out_last, busy, short_image;
  wire [31:0]  images_in_q, images_out_q, batch_cycles_q, stall_in_q, stall_out_q;
  sbnn_batch #(.IMAGE_BEATS(IMAGE_BEATS), .IN_FLIGHT(IN_FLIGHT)) u (
    .aclk, .aresetn, .each_image, .in_valid, .in_last, .in_ready, .core_valid, .core_last, .core_ready,
    .result_valid, .result_last, .result_ready, .out_valid, .out_zero, .out_last, .out_ready, .busy,
    .short_image, .clear, .images_in_q, .images_out_q, .batch_cycles_q, .stall_in_q, .stall_out_q
  );
  `include "words.svh"
  (* hierconn *) wire [BEAT_BITS-1:0]    \u.beat_q ;
  (* hierconn *) wire [FLIGHT_BITS-1:0]  \u.flight_q ;
  (* hierconn *) wire [31:0]             \u.timer_q ;
  (* hierconn *) wire                    \u.running_q ;
  (* hierconn *) wire [PLACE_W-1:0]      \u.u_flight.write_q ;
  (* hierconn *) wire [PLACE_W-1:0]      \u.u_flight.read_q ;
  (* hierconn *) wire [PLACE_W:0]        \u.u_flight.level_q ;
  (* hierconn *) wire                    \u.u_flight.valid_q ;

  reg                    alive = 0;
  reg                    cleared = 0;  // the counters began
  reg [7:0]              beats;        // of the image that comes in
  reg [FLIGHT_BITS-1:0]  count, owes;  // images that ended and are not answered; whole ones of them
  reg                    watching, short, last;
  reg [FLIGHT_BITS-1:0]  ahead;
  reg                    held_in, held_last, held_core, held_results, held_out, held_zero;
  reg                    held_result_last, held_out_last, held_each;
  reg [31:0]             clock, first, images_in, images_out, stall_in, stall_out, cycles;
  reg                    running;

  wire whole = beats == IMAGE_BEATS - 1;
  wire ends_batch = each_image ? whole : in_last;
  wire beat = in_valid && in_ready;
  wire ends = beat && (whole || ends_batch);
  wire pop = out_valid && out_ready && (out_zero || result_last);
  wire finished = pop && out_last && count == 1 && beats == 0 && !beat;

  always @(posedge aclk) begin
    clock <= clock + 1;
    held_in <= aresetn && in_valid && !in_ready;
    held_last <= in_last;
    held_each <= each_image;
    held_core <= aresetn && core_valid && !core_ready;
    held_results <= aresetn && result_valid && !result_ready;
    held_result_last <= result_last;
    held_out <= aresetn && out_valid && !out_ready;
    held_zero <= out_zero;
    held_out_last <= out_last;
    if (!aresetn) begin
      alive <= 1;
      beats <= 0;
      count <= 0;
      owes <= 0;
      watching <= 0;
      running <= 0;
    end else begin
      if (beat) beats <= ends ? 0 : beats + 1;
      count <= count + ends - pop;
      owes <= owes + (beat && whole) - (result_valid && result_ready && result_last);
      if (beat && !running) first <= clock;
      if (beat) running <= 1;
      else if (finished) running <= 0;
      if (!watching && ends && mark) begin
        watching <= 1;
        short <= !whole;
        last <= ends_batch;
        ahead <= count - pop;
      end else if (watching && pop) begin
        ahead <= ahead - 1;
        if (ahead == 0) watching <= 0;
      end
    end
    if (clear) begin
      cleared <= alive;
      {images_in, images_out, stall_in, stall_out, cycles} <= 0;
    end else if (aresetn) begin
      images_in <= images_in + (beat && whole);
      images_out <= images_out + (pop && !out_zero);
      stall_in <= stall_in + (in_valid && !in_ready);
      stall_out <= stall_out + (out_valid && !out_ready);
      if (finished) cycles <= clock - first + 1;
    end
  end

  // Whole images among those in flight, as the module keeps them.
  reg [FLIGHT_BITS-1:0]  kept;
  reg [PLACE_W-1:0]      slot;
  wire [PLACE_W-1:0] place = \u.u_flight.read_q + ahead;
  integer i;
  always @* begin
    kept = 0;
    for (i = 0; i < IN_FLIGHT; i = i + 1) begin
      slot = \u.u_flight.read_q + i;
      if (i < \u.u_flight.level_q && !words[2*slot+1]) kept = kept + 1;
    end
  end

  always @* if (!alive) i_cleared: assert (!cleared);
  always @* if (alive) begin
    if (held_in) assume (in_valid && in_last == held_last && each_image == held_each);
    if (held_results) assume (result_valid && result_last == held_result_last);
    assume (!result_valid || owes != 0);
    p_pass: assert (beat == (core_valid && core_ready) && (!core_valid || (in_valid && core_last == ends_batch)));
    p_room: assert (in_ready == (core_ready && !(count == IN_FLIGHT && (whole || ends_batch))));
    if (held_core) p_steady: assert (core_valid);
    p_short: assert (short_image == (ends && !whole));
    if (watching && ahead == 0) begin
      p_zero: assert (out_zero == short && out_valid == (short || result_valid));
      if (out_valid) p_last: assert (out_last == (short || (result_last && last)));
    end
    p_extra: assert (!out_valid || count != 0);
    p_result: assert ((result_valid && result_ready) == (out_valid && out_ready && !out_zero));
    if (held_out) p_hold: assert (out_valid && out_zero == held_zero && out_last == held_out_last);
    p_busy: assert (busy == (count != 0 || beats != 0));
    if (cleared) begin
      p_images: assert (images_in_q == images_in && images_out_q == images_out);
      p_stalls: assert (stall_in_q == stall_in && stall_out_q == stall_out);
      p_cycles: assert (batch_cycles_q == cycles);
    end
    i_count: assert (count <= IN_FLIGHT && count == \u.flight_q && count == \u.u_flight.level_q
      && \u.u_flight.valid_q == (count != 0)
      && count[PLACE_W-1:0] == PLACE_W'(\u.u_flight.write_q - \u.u_flight.read_q ));
    i_beats: assert (beats < IMAGE_BEATS && beats == \u.beat_q );
    i_owes: assert (owes == kept);
    i_running: assert (running == \u.running_q && (!running || \u.timer_q == clock - first));
    if (count != 0 || beats != 0) i_begun: assert (running);
    if (watching) i_place: assert (ahead < count && words[2*place +: 2] == {short, last});
    if (held_out) i_held: assert (count != 0 && held_zero == words[2*\u.u_flight.read_q +1]
      && (held_zero ? held_out_last : held_results
        && held_out_last == (held_result_last && words[2*\u.u_flight.read_q ])));
    if (held_core) i_core: assert (held_in && !(count == IN_FLIGHT && (whole || ends_batch)));
  end
endmodule

`default_nettype wire
