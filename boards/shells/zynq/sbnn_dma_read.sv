// SPDX-License-Identifier: Apache-2.0
//
// Reads a batch of images from memory over AXI3, 64 bits a beat, into a queue.
//
// Bursts of at most 16 beats, none across 4 KiB, up to OUTSTANDING of them under way. A burst is asked for
// only when the queue has room for it beside those under way, so that RREADY never falls and a beat a
// cycle arrives as long as the memory keeps up. Images lie one behind the other, each padded to 8 bytes.
// The beats still to be asked for are counted image by image (`known`), which needs no multiplier.
`default_nettype none

module sbnn_dma_read #(
    parameter IMAGE_BEATS = 13,
    parameter QUEUE_BITS  = 7,   // the queue holds 2 ** QUEUE_BITS beats
    parameter OUTSTANDING = 8
) (
    input  wire                 aclk,
    input  wire                 aresetn,     // only while `drained`
    input  wire                 start,
    input  wire  [        28:0] beat_address,  // byte address / 8
    input  wire  [        31:0] images,
    input  wire                 stop,        // ask for nothing more, drop what arrives
    output wire                 drained,     // nothing is under way on the bus
    output wire                 finished,    // and nothing is left to do
    output wire                 failed,      // this beat came with an error
    // To the queue.
    input  wire  [QUEUE_BITS:0] level,       // beats in it
    output wire                 push,
    output wire  [        63:0] push_data,
    output wire                 push_last,   // the batch's last beat
    // To memory.
    output wire  [        31:0] m_axi_araddr,
    output wire  [         3:0] m_axi_arlen,
    output wire                 m_axi_arvalid,
    input  wire                 m_axi_arready,
    input  wire  [        63:0] m_axi_rdata,
    input  wire  [         1:0] m_axi_rresp,
    input  wire                 m_axi_rlast,
    input  wire                 m_axi_rvalid,
    output wire                 m_axi_rready
);
  localparam KNOWN_BITS = $clog2(IMAGE_BEATS + 32);
  localparam COUNT_BITS = $clog2(OUTSTANDING + 1);

  logic [28:0] next_q, address_q;
  logic [31:0] images_q;
  logic [KNOWN_BITS-1:0] known_q, known_more, known_less;
  logic [COUNT_BITS-1:0] bursts_q;
  logic [QUEUE_BITS:0] promised_q;
  logic [4:0] beats;
  logic [3:0] len_q;
  logic valid_q;
  wire more, issue, beat, burst_end, room, none_left;

  sbnn_dma_burst #(
      .KNOWN_BITS(KNOWN_BITS)
  ) u_burst (
      .known(known_q),
      .beat_address(next_q[8:0]),
      .beats(beats)
  );

  // 32 known beats and not 16: at one beat an image, each cycle then adds what a burst takes in 16.
  assign more = images_q != '0 && known_q < KNOWN_BITS'(32);
  assign none_left = images_q == '0 && known_q == '0;
  assign room = {1'b0, level} + {1'b0, promised_q} <= (QUEUE_BITS + 2)'((1 << QUEUE_BITS) - 16);
  assign issue = !stop && !valid_q && room && bursts_q != COUNT_BITS'(OUTSTANDING)
      && (known_q >= KNOWN_BITS'(16) || (images_q == '0 && known_q != '0));
  assign beat = m_axi_rvalid;
  assign burst_end = beat && m_axi_rlast;
  assign known_more = more ? KNOWN_BITS'(IMAGE_BEATS) : '0;
  assign known_less = issue ? KNOWN_BITS'(beats) : '0;

  assign m_axi_araddr = {address_q, 3'b000};
  assign m_axi_arlen = len_q;
  assign m_axi_arvalid = valid_q;
  assign m_axi_rready = 1'b1;
  assign failed = beat && m_axi_rresp != 2'b00;
  assign push = beat && !stop;
  assign push_data = m_axi_rdata;
  assign push_last = burst_end && none_left && bursts_q == COUNT_BITS'(1);
  assign drained = bursts_q == '0;
  assign finished = drained && none_left;

  always_ff @(posedge aclk) begin
    if (start) begin
      next_q   <= beat_address;
      images_q <= images;
    end else begin
      if (issue) next_q <= next_q + 29'(beats);
      if (more) images_q <= images_q - 32'd1;
    end
    known_q <= known_q + known_more - known_less;
    bursts_q <= bursts_q + COUNT_BITS'(issue) - COUNT_BITS'(burst_end);
    promised_q <= promised_q + (issue ? (QUEUE_BITS + 1)'(beats) : '0) - (QUEUE_BITS + 1)'(beat);
    if (issue) begin
      valid_q <= 1'b1;
      address_q <= next_q;
      len_q <= 4'(beats - 5'd1);
    end else if (m_axi_arready) begin
      valid_q <= 1'b0;
    end
    if (!aresetn) begin
      images_q <= '0;
      known_q <= '0;
      bursts_q <= '0;
      promised_q <= '0;
      valid_q <= 1'b0;
    end
  end
endmodule
`default_nettype wire
