// SPDX-License-Identifier: Apache-2.0
//
// The data path of the Zynq shell: source -> queue -> core -> queue -> sink.
//
// Three sources: words of the FIFO window (low half of a beat first), the own DMA, an external stream.
// Cost: two queues of 2 ** QUEUE_BITS beats of 65 bits, and the counters of sbnn_batch.
`default_nettype none

module sbnn_zynq_stream #(
    parameter OWN_DMA = 0,
    parameter IMAGE_BEATS = 13,
    parameter IN_FLIGHT = 16,
    parameter QUEUE_BITS = 7
) (
    input  wire                   aclk,
    input  wire                   aresetn,
    input  wire                   source,        // 0: FIFO windows; 1: DMA or external stream
    input  wire                   open,          // the external stream may flow
    // FIFO windows.
    input  wire                   push_half,
    input  wire  [          31:0] push_word,
    output wire  [QUEUE_BITS+1:0] in_space,      // words
    input  wire                   pop_half,
    output wire  [          31:0] pop_word,
    output wire  [QUEUE_BITS+1:0] out_words,
    // Own DMA.
    input  wire                   dma_push,
    input  wire  [          63:0] dma_data,
    input  wire                   dma_last,
    input  wire                   dma_pop,
    output wire  [          63:0] out_data,
    output wire  [  QUEUE_BITS:0] in_level,      // beats
    output wire  [  QUEUE_BITS:0] out_level,
    // External stream.
    input  wire  [          63:0] s_axis_tdata,
    input  wire                   s_axis_tvalid,
    output wire                   s_axis_tready,
    input  wire                   s_axis_tlast,
    output wire  [          63:0] m_axis_tdata,
    output wire                   m_axis_tvalid,
    input  wire                   m_axis_tready,
    output wire                   m_axis_tlast,
    // The core.
    output wire  [          63:0] core_s_tdata,
    output wire                   core_s_tvalid,
    input  wire                   core_s_tready,
    output wire                   core_s_tlast,
    input  wire  [          63:0] core_m_tdata,
    input  wire                   core_m_tvalid,
    output wire                   core_m_tready,
    input  wire                   core_m_tlast,
    // State and counters.
    output wire                   busy,
    output wire                   short_image,
    input  wire                   clear,
    output wire  [          31:0] images_in,
    output wire  [          31:0] images_out,
    output wire  [          31:0] batch_cycles,
    output wire  [          31:0] stall_in,
    output wire  [          31:0] stall_out
);
  localparam QUEUE = 1 << QUEUE_BITS;
  localparam LEVEL_BITS = QUEUE_BITS + 1;

  logic [64:0] in_beat, in_head, out_beat, out_head;
  logic [31:0] half_word_q;
  logic in_half_q, out_half_q, in_push;
  wire in_pop, in_valid, in_ready, out_push, out_pop, out_valid, out_ready;
  wire result_valid, result_last, result_zero, batch_busy;

  // Words of the FIFO windows are the low and the high half of a beat.
  always_ff @(posedge aclk) begin
    if (push_half) begin
      in_half_q   <= !in_half_q;
      half_word_q <= push_word;
    end
    if (pop_half) out_half_q <= !out_half_q;
    if (!aresetn) begin
      in_half_q  <= 1'b0;
      out_half_q <= 1'b0;
    end
  end
  assign in_space = {LEVEL_BITS'(QUEUE) - in_level, 1'b0} - (LEVEL_BITS + 1)'(in_half_q);
  assign out_words = {out_level, 1'b0} - (LEVEL_BITS + 1)'(out_half_q);
  assign pop_word = out_half_q ? out_head[63:32] : out_head[31:0];

  // Images.
  assign s_axis_tready = OWN_DMA == 0 && source && open && !in_level[QUEUE_BITS];
  always_comb begin
    if (!source) begin
      in_push = push_half && in_half_q;
      in_beat = {1'b1, push_word, half_word_q};  // sbnn_batch finds the ends of these images itself
    end else if (OWN_DMA != 0) begin
      in_push = dma_push;
      in_beat = {dma_last, dma_data};
    end else begin
      in_push = s_axis_tvalid && s_axis_tready;
      in_beat = {s_axis_tlast, s_axis_tdata};
    end
  end

  sbnn_queue #(
      .WIDTH(65),
      .BITS (QUEUE_BITS)
  ) u_images (
      .aclk(aclk),
      .aresetn(aresetn),
      .push(in_push),
      .in_data(in_beat),
      .valid(in_valid),
      .pop(in_pop),
      .out_data(in_head),
      .level(in_level)
  );
  assign in_pop = in_valid && in_ready;
  assign core_s_tdata = in_head[63:0];

  // Results.
  assign out_ready = !out_level[QUEUE_BITS];
  assign out_push = result_valid && out_ready;
  assign out_beat = {result_last, result_zero ? 64'd0 : core_m_tdata};
  assign out_pop = (pop_half && out_half_q) || dma_pop || (m_axis_tvalid && m_axis_tready);
  assign out_data = out_head[63:0];
  assign m_axis_tvalid = OWN_DMA == 0 && source && open && out_valid;
  assign {m_axis_tlast, m_axis_tdata} = out_head;

  sbnn_queue #(
      .WIDTH(65),
      .BITS (QUEUE_BITS)
  ) u_results (
      .aclk(aclk),
      .aresetn(aresetn),
      .push(out_push),
      .in_data(out_beat),
      .valid(out_valid),
      .pop(out_pop),
      .out_data(out_head),
      .level(out_level)
  );

  assign busy = batch_busy || in_valid || in_half_q;

  sbnn_batch #(
      .IMAGE_BEATS(IMAGE_BEATS),
      .IN_FLIGHT  (IN_FLIGHT)
  ) u_batch (
      .aclk(aclk),
      .aresetn(aresetn),
      .each_image(!source),
      .in_valid(in_valid),
      .in_last(in_head[64]),
      .in_ready(in_ready),
      .core_valid(core_s_tvalid),
      .core_last(core_s_tlast),
      .core_ready(core_s_tready),
      .result_valid(core_m_tvalid),
      .result_last(core_m_tlast),
      .result_ready(core_m_tready),
      .out_valid(result_valid),
      .out_zero(result_zero),
      .out_last(result_last),
      .out_ready(out_ready),
      .busy(batch_busy),
      .short_image(short_image),
      .clear(clear),
      .images_in_q(images_in),
      .images_out_q(images_out),
      .batch_cycles_q(batch_cycles),
      .stall_in_q(stall_in),
      .stall_out_q(stall_out)
  );
endmodule
`default_nettype wire
