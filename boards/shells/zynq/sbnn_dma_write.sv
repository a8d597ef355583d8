// SPDX-License-Identifier: Apache-2.0
//
// Writes the results of a batch from a queue to memory over AXI3, 64 bits a beat.
//
// Bursts of at most 16 beats, none across 4 KiB, up to OUTSTANDING of them under way. A burst is begun only
// when the queue holds all its beats, so that WVALID does not wait for the core and what was begun can
// always be ended, also when the core is reset. Results lie one behind the other, each padded to 8 bytes.
`default_nettype none

module sbnn_dma_write #(
    parameter RESULT_BEATS = 3,
    parameter QUEUE_BITS   = 7,
    parameter OUTSTANDING  = 8   // a power of two
) (
    input  wire                 aclk,
    input  wire                 aresetn,       // only while `drained`
    input  wire                 start,
    input  wire  [        28:0] beat_address,  // byte address / 8
    input  wire  [        31:0] images,
    input  wire                 stop,          // begin nothing more
    output wire                 drained,       // nothing is under way on the bus
    output wire                 finished,      // and nothing is left to do
    output wire                 failed,        // this answer was an error
    // From the queue.
    input  wire  [QUEUE_BITS:0] level,         // beats in it
    input  wire  [        63:0] pop_data,
    output wire                 pop,
    // To memory.
    output wire  [        31:0] m_axi_awaddr,
    output wire  [         3:0] m_axi_awlen,
    output wire                 m_axi_awvalid,
    input  wire                 m_axi_awready,
    output wire  [        63:0] m_axi_wdata,
    output wire                 m_axi_wlast,
    output wire                 m_axi_wvalid,
    input  wire                 m_axi_wready,
    input  wire  [         1:0] m_axi_bresp,
    input  wire                 m_axi_bvalid,
    output wire                 m_axi_bready
);
  localparam KNOWN_BITS = $clog2(RESULT_BEATS + 32);
  localparam COUNT_BITS = $clog2(OUTSTANDING + 1);

  logic [28:0] next_q, address_q;
  logic [31:0] images_q;
  logic [KNOWN_BITS-1:0] known_q, known_more, known_less;
  logic [COUNT_BITS-1:0] bursts_q;
  logic [QUEUE_BITS:0] promised_q;  // beats of the queue that belong to bursts already begun
  logic [4:0] beats;
  logic [3:0] len_q, sent_q, sending_len;
  logic valid_q;
  wire more, issue, sending, burst_end, none_left;

  sbnn_dma_burst #(
      .KNOWN_BITS(KNOWN_BITS)
  ) u_burst (
      .known(known_q),
      .beat_address(next_q[8:0]),
      .beats(beats)
  );

  assign more = images_q != '0 && known_q < KNOWN_BITS'(32);
  assign none_left = images_q == '0 && known_q == '0;
  assign issue = !stop && !valid_q && bursts_q != COUNT_BITS'(OUTSTANDING)
      && level - promised_q >= (QUEUE_BITS + 1)'(beats)
      && (known_q >= KNOWN_BITS'(16) || (images_q == '0 && known_q != '0));
  assign known_more = more ? KNOWN_BITS'(RESULT_BEATS) : '0;
  assign known_less = issue ? KNOWN_BITS'(beats) : '0;

  assign m_axi_awaddr = {address_q, 3'b000};
  assign m_axi_awlen = len_q;
  assign m_axi_awvalid = valid_q;
  assign m_axi_wdata = pop_data;
  assign m_axi_wlast = sent_q == sending_len;
  assign m_axi_wvalid = sending;
  assign m_axi_bready = 1'b1;
  assign pop = sending && m_axi_wready;
  assign burst_end = pop && m_axi_wlast;
  assign failed = m_axi_bvalid && m_axi_bresp != 2'b00;
  // AXI3 lets memory answer a burst before it takes the address.
  assign drained = bursts_q == '0 && !valid_q;
  assign finished = drained && none_left;

  // The lengths of the bursts whose data are still to be sent.
  sbnn_fifo #(
      .WIDTH(4),
      .DEPTH(OUTSTANDING)
  ) u_lengths (
      .aclk(aclk),
      .aresetn(aresetn),
      .push(issue),
      .in_data(4'(beats - 5'd1)),
      .valid(sending),
      .pop(burst_end),
      .out_data(sending_len)
  );

  always_ff @(posedge aclk) begin
    if (start) begin
      next_q   <= beat_address;
      images_q <= images;
    end else begin
      if (issue) next_q <= next_q + 29'(beats);
      if (more) images_q <= images_q - 32'd1;
    end
    known_q <= known_q + known_more - known_less;
    bursts_q <= bursts_q + COUNT_BITS'(issue) - COUNT_BITS'(m_axi_bvalid);
    promised_q <= promised_q + (issue ? (QUEUE_BITS + 1)'(beats) : '0) - (QUEUE_BITS + 1)'(pop);
    if (pop) sent_q <= m_axi_wlast ? 4'd0 : sent_q + 4'd1;
    if (issue) begin
      valid_q <= 1'b1;
      address_q <= next_q;
      len_q <= 4'(beats - 5'd1);
    end else if (m_axi_awready) begin
      valid_q <= 1'b0;
    end
    if (!aresetn) begin
      images_q <= '0;
      known_q <= '0;
      bursts_q <= '0;
      promised_q <= '0;
      sent_q <= '0;
      valid_q <= 1'b0;
    end
  end
endmodule
`default_nettype wire
