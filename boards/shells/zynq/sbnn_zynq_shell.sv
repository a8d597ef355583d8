// SPDX-License-Identifier: Apache-2.0
//
// A core with 64-bit AXI-Stream in and out, driven from the processor of a Zynq.
//
// SOURCE 0 takes and gives words through the FIFO windows of the registers; every image is its own batch.
// SOURCE 1 is the own DMA on an AXI3 port (OWN_DMA 1) or the external stream (OWN_DMA 0).
// A reset by register, or a DMA error, first lets the transactions on the memory port end, then resets
// queues and core for four cycles; the registers answer all the time.
`default_nettype none

module sbnn_zynq_shell #(
    parameter ID_BITS = 12,  // of s_axi
    parameter LEN_BITS = 4,  // of s_axi: 4 for AXI3, 8 for AXI4
    parameter OWN_DMA = 0,
    parameter IMAGE_BEATS = 13,
    parameter RESULT_BEATS = 3,
    parameter IN_FLIGHT = 16,  // a power of two; images in the core at full rate, and some more
    parameter QUEUE_BITS = 7,  // each queue holds 2 ** QUEUE_BITS beats, 5 or more
    parameter MASTER_ID_BITS = 6,
    parameter [63:0] BUILD_ID = 64'd0
) (
    input  wire                       aclk,
    input  wire                       aresetn,
    // Registers: AXI3, AXI4 or AXI4-Lite.
    input  wire  [       ID_BITS-1:0] s_axi_awid,
    input  wire  [              11:0] s_axi_awaddr,
    input  wire  [      LEN_BITS-1:0] s_axi_awlen,
    input  wire  [               2:0] s_axi_awsize,
    input  wire  [               1:0] s_axi_awburst,
    input  wire                       s_axi_awvalid,
    output wire                       s_axi_awready,
    input  wire  [              31:0] s_axi_wdata,
    input  wire  [               3:0] s_axi_wstrb,
    input  wire                       s_axi_wlast,
    input  wire                       s_axi_wvalid,
    output wire                       s_axi_wready,
    output wire  [       ID_BITS-1:0] s_axi_bid,
    output wire  [               1:0] s_axi_bresp,
    output wire                       s_axi_bvalid,
    input  wire                       s_axi_bready,
    input  wire  [       ID_BITS-1:0] s_axi_arid,
    input  wire  [              11:0] s_axi_araddr,
    input  wire  [      LEN_BITS-1:0] s_axi_arlen,
    input  wire  [               2:0] s_axi_arsize,
    input  wire  [               1:0] s_axi_arburst,
    input  wire                       s_axi_arvalid,
    output wire                       s_axi_arready,
    output wire  [       ID_BITS-1:0] s_axi_rid,
    output wire  [              31:0] s_axi_rdata,
    output wire  [               1:0] s_axi_rresp,
    output wire                       s_axi_rlast,
    output wire                       s_axi_rvalid,
    input  wire                       s_axi_rready,
    // Memory: AXI3, 64 bits; idle without OWN_DMA.
    output wire  [MASTER_ID_BITS-1:0] m_axi_awid,
    output wire  [              31:0] m_axi_awaddr,
    output wire  [               3:0] m_axi_awlen,
    output wire  [               2:0] m_axi_awsize,
    output wire  [               1:0] m_axi_awburst,
    output wire  [               3:0] m_axi_awcache,
    output wire  [               2:0] m_axi_awprot,
    output wire                       m_axi_awvalid,
    input  wire                       m_axi_awready,
    output wire  [MASTER_ID_BITS-1:0] m_axi_wid,
    output wire  [              63:0] m_axi_wdata,
    output wire  [               7:0] m_axi_wstrb,
    output wire                       m_axi_wlast,
    output wire                       m_axi_wvalid,
    input  wire                       m_axi_wready,
    input  wire  [MASTER_ID_BITS-1:0] m_axi_bid,
    input  wire  [               1:0] m_axi_bresp,
    input  wire                       m_axi_bvalid,
    output wire                       m_axi_bready,
    output wire  [MASTER_ID_BITS-1:0] m_axi_arid,
    output wire  [              31:0] m_axi_araddr,
    output wire  [               3:0] m_axi_arlen,
    output wire  [               2:0] m_axi_arsize,
    output wire  [               1:0] m_axi_arburst,
    output wire  [               3:0] m_axi_arcache,
    output wire  [               2:0] m_axi_arprot,
    output wire                       m_axi_arvalid,
    input  wire                       m_axi_arready,
    input  wire  [MASTER_ID_BITS-1:0] m_axi_rid,
    input  wire  [              63:0] m_axi_rdata,
    input  wire  [               1:0] m_axi_rresp,
    input  wire                       m_axi_rlast,
    input  wire                       m_axi_rvalid,
    output wire                       m_axi_rready,
    // External stream; not ready and not valid with OWN_DMA.
    input  wire  [              63:0] s_axis_tdata,
    input  wire                       s_axis_tvalid,
    output wire                       s_axis_tready,
    input  wire                       s_axis_tlast,
    output wire  [              63:0] m_axis_tdata,
    output wire                       m_axis_tvalid,
    input  wire                       m_axis_tready,
    output wire                       m_axis_tlast,
    // The core.
    output wire                       core_aresetn,
    output wire  [              63:0] core_s_tdata,
    output wire                       core_s_tvalid,
    input  wire                       core_s_tready,
    output wire                       core_s_tlast,
    input  wire  [              63:0] core_m_tdata,
    input  wire                       core_m_tvalid,
    output wire                       core_m_tready,
    input  wire                       core_m_tlast,
    // For LEDs.
    output wire                       busy,
    output wire                       error
);
  localparam WORDS_BITS = QUEUE_BITS + 2;
  localparam logic [1:0] RUN = 2'd0, DRAIN = 2'd1, HOLD = 2'd2;

  wire write_valid, write_legal, read_valid, read_legal;
  wire [9:0] write_word, read_word;
  wire [31:0] write_data, read_data, push_word, pop_word, dma_images;
  wire [28:0] dma_source, dma_target;
  wire [31:0] images_in, images_out, batch_cycles, stall_in, stall_out;
  wire [WORDS_BITS-1:0] in_space, out_words;
  wire [QUEUE_BITS:0] in_level, out_level;
  wire [63:0] dma_data, out_data;
  wire reset, clear, source, dma_start, push_half, pop_half, short_image, stream_busy, in_reset;
  wire drained, finished, read_failed, write_failed, failed, dma_push, dma_last, dma_pop;

  logic [1:0] state_q, hold_q;
  logic data_aresetn_q, dma_running_q, dma_done_q, dma_failed_q;

  sbnn_axi_slave #(
      .ID_BITS (ID_BITS),
      .LEN_BITS(LEN_BITS)
  ) u_slave (
      .aclk(aclk),
      .aresetn(aresetn),
      .s_axi_awid(s_axi_awid),
      .s_axi_awaddr(s_axi_awaddr),
      .s_axi_awlen(s_axi_awlen),
      .s_axi_awsize(s_axi_awsize),
      .s_axi_awburst(s_axi_awburst),
      .s_axi_awvalid(s_axi_awvalid),
      .s_axi_awready(s_axi_awready),
      .s_axi_wdata(s_axi_wdata),
      .s_axi_wstrb(s_axi_wstrb),
      .s_axi_wlast(s_axi_wlast),
      .s_axi_wvalid(s_axi_wvalid),
      .s_axi_wready(s_axi_wready),
      .s_axi_bid(s_axi_bid),
      .s_axi_bresp(s_axi_bresp),
      .s_axi_bvalid(s_axi_bvalid),
      .s_axi_bready(s_axi_bready),
      .s_axi_arid(s_axi_arid),
      .s_axi_araddr(s_axi_araddr),
      .s_axi_arlen(s_axi_arlen),
      .s_axi_arsize(s_axi_arsize),
      .s_axi_arburst(s_axi_arburst),
      .s_axi_arvalid(s_axi_arvalid),
      .s_axi_arready(s_axi_arready),
      .s_axi_rid(s_axi_rid),
      .s_axi_rdata(s_axi_rdata),
      .s_axi_rresp(s_axi_rresp),
      .s_axi_rlast(s_axi_rlast),
      .s_axi_rvalid(s_axi_rvalid),
      .s_axi_rready(s_axi_rready),
      .write_valid(write_valid),
      .write_legal(write_legal),
      .write_word(write_word),
      .write_data(write_data),
      .read_valid(read_valid),
      .read_legal(read_legal),
      .read_word(read_word),
      .read_data(read_data)
  );

  sbnn_zynq_registers #(
      .OWN_DMA(OWN_DMA),
      .IMAGE_BEATS(IMAGE_BEATS),
      .RESULT_BEATS(RESULT_BEATS),
      .WORDS_BITS(WORDS_BITS),
      .BUILD_ID(BUILD_ID)
  ) u_registers (
      .aclk(aclk),
      .aresetn(aresetn),
      .write_valid(write_valid),
      .write_legal(write_legal),
      .write_word(write_word),
      .write_data(write_data),
      .read_valid(read_valid),
      .read_legal(read_legal),
      .read_word(read_word),
      .read_data(read_data),
      .reset(reset),
      .clear(clear),
      .source(source),
      .dma_start(dma_start),
      .dma_source(dma_source),
      .dma_target(dma_target),
      .dma_images(dma_images),
      .error(error),
      .busy(busy),
      .in_reset(in_reset),
      .result_waits(out_level != '0),
      .dma_running(dma_running_q),
      .dma_done(dma_done_q),
      .dma_failed(dma_failed_q),
      .short_image(short_image),
      .read_failed(read_failed),
      .write_failed(write_failed),
      .images_in(images_in),
      .images_out(images_out),
      .batch_cycles(batch_cycles),
      .stall_in(stall_in),
      .stall_out(stall_out),
      .push(push_half),
      .push_word(push_word),
      .in_space(in_space),
      .pop(pop_half),
      .pop_word(pop_word),
      .out_level(out_words)
  );

  // Reset of the data path, after what is under way on the memory port has ended.
  assign in_reset = state_q != RUN || !data_aresetn_q;
  assign failed = read_failed || write_failed;
  assign core_aresetn = data_aresetn_q;
  assign busy = stream_busy || dma_running_q;
  always_ff @(posedge aclk) begin
    case (state_q)
      RUN: if (reset || failed) state_q <= DRAIN;
      DRAIN: if (drained) state_q <= HOLD;
      default: if (hold_q == '1) state_q <= RUN;
    endcase
    hold_q <= state_q == HOLD ? hold_q + 2'd1 : 2'd0;
    data_aresetn_q <= state_q != HOLD;
    if (dma_start) begin
      {dma_running_q, dma_done_q, dma_failed_q} <= 3'b100;
    end else if (state_q == HOLD) begin
      dma_running_q <= 1'b0;
    end else if (dma_running_q && finished && !in_reset) begin
      {dma_running_q, dma_done_q} <= 2'b01;
    end
    if (failed && dma_running_q) dma_failed_q <= 1'b1;
    if (!aresetn) begin
      state_q <= HOLD;
      hold_q <= '0;
      data_aresetn_q <= 1'b0;
      {dma_running_q, dma_done_q, dma_failed_q} <= 3'b000;
    end
  end

  sbnn_zynq_stream #(
      .OWN_DMA(OWN_DMA),
      .IMAGE_BEATS(IMAGE_BEATS),
      .IN_FLIGHT(IN_FLIGHT),
      .QUEUE_BITS(QUEUE_BITS)
  ) u_stream (
      .aclk(aclk),
      .aresetn(data_aresetn_q),
      .source(source),
      .open(!in_reset),
      .push_half(push_half),
      .push_word(push_word),
      .in_space(in_space),
      .pop_half(pop_half),
      .pop_word(pop_word),
      .out_words(out_words),
      .dma_push(dma_push),
      .dma_data(dma_data),
      .dma_last(dma_last),
      .dma_pop(dma_pop),
      .out_data(out_data),
      .in_level(in_level),
      .out_level(out_level),
      .s_axis_tdata(s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .s_axis_tlast(s_axis_tlast),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast(m_axis_tlast),
      .core_s_tdata(core_s_tdata),
      .core_s_tvalid(core_s_tvalid),
      .core_s_tready(core_s_tready),
      .core_s_tlast(core_s_tlast),
      .core_m_tdata(core_m_tdata),
      .core_m_tvalid(core_m_tvalid),
      .core_m_tready(core_m_tready),
      .core_m_tlast(core_m_tlast),
      .busy(stream_busy),
      .short_image(short_image),
      .clear(clear || !aresetn),
      .images_in(images_in),
      .images_out(images_out),
      .batch_cycles(batch_cycles),
      .stall_in(stall_in),
      .stall_out(stall_out)
  );

  if (OWN_DMA != 0) begin : gen_dma
    sbnn_dma #(
        .IMAGE_BEATS(IMAGE_BEATS),
        .RESULT_BEATS(RESULT_BEATS),
        .QUEUE_BITS(QUEUE_BITS),
        .MASTER_ID_BITS(MASTER_ID_BITS)
    ) u_dma (
        .aclk(aclk),
        .aresetn(data_aresetn_q),
        .start(dma_start),
        .source(dma_source),
        .target(dma_target),
        .images(dma_images),
        .stop(in_reset),
        .drained(drained),
        .finished(finished),
        .read_failed(read_failed),
        .write_failed(write_failed),
        .in_level(in_level),
        .push(dma_push),
        .push_data(dma_data),
        .push_last(dma_last),
        .out_level(out_level),
        .pop_data(out_data),
        .pop(dma_pop),
        .m_axi_awid(m_axi_awid),
        .m_axi_awaddr(m_axi_awaddr),
        .m_axi_awlen(m_axi_awlen),
        .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst),
        .m_axi_awcache(m_axi_awcache),
        .m_axi_awprot(m_axi_awprot),
        .m_axi_awvalid(m_axi_awvalid),
        .m_axi_awready(m_axi_awready),
        .m_axi_wid(m_axi_wid),
        .m_axi_wdata(m_axi_wdata),
        .m_axi_wstrb(m_axi_wstrb),
        .m_axi_wlast(m_axi_wlast),
        .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready),
        .m_axi_bid(m_axi_bid),
        .m_axi_bresp(m_axi_bresp),
        .m_axi_bvalid(m_axi_bvalid),
        .m_axi_bready(m_axi_bready),
        .m_axi_arid(m_axi_arid),
        .m_axi_araddr(m_axi_araddr),
        .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst),
        .m_axi_arcache(m_axi_arcache),
        .m_axi_arprot(m_axi_arprot),
        .m_axi_arvalid(m_axi_arvalid),
        .m_axi_arready(m_axi_arready),
        .m_axi_rid(m_axi_rid),
        .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp),
        .m_axi_rlast(m_axi_rlast),
        .m_axi_rvalid(m_axi_rvalid),
        .m_axi_rready(m_axi_rready)
    );
  end else begin : gen_stream
    wire unused = &{
      1'b0, dma_start, dma_source, dma_target, dma_images, in_level, out_data, m_axi_awready,
      m_axi_wready, m_axi_bid, m_axi_bresp, m_axi_bvalid, m_axi_arready, m_axi_rid, m_axi_rdata,
      m_axi_rresp, m_axi_rlast, m_axi_rvalid
    };
    assign {drained, finished, read_failed, write_failed} = 4'b1000;
    assign {dma_push, dma_last, dma_pop, dma_data} = '0;
    assign {m_axi_awid, m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst} = '0;
    assign {m_axi_awcache, m_axi_awprot, m_axi_awvalid} = '0;
    assign {m_axi_wid, m_axi_wdata, m_axi_wstrb, m_axi_wlast, m_axi_wvalid, m_axi_bready} = '0;
    assign {m_axi_arid, m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst} = '0;
    assign {m_axi_arcache, m_axi_arprot, m_axi_arvalid, m_axi_rready} = '0;
  end
endmodule
`default_nettype wire
