// SPDX-License-Identifier: Apache-2.0
//
// The own DMA of the Zynq shell: images from memory, results to memory, on one AXI3 port of 64 bits.
//
// All transactions have id 0, so that their answers come in order.
`default_nettype none

module sbnn_dma #(
    parameter IMAGE_BEATS = 13,
    parameter RESULT_BEATS = 3,
    parameter QUEUE_BITS = 7,
    parameter MASTER_ID_BITS = 6
) (
    input  wire                        aclk,
    input  wire                        aresetn,       // only while `drained`
    input  wire                        start,
    input  wire  [               28:0] source,        // byte address / 8
    input  wire  [               28:0] target,
    input  wire  [               31:0] images,
    input  wire                        stop,          // begin nothing more
    output wire                        drained,       // nothing is under way on the bus
    output wire                        finished,      // and nothing is left to do
    output wire                        read_failed,   // one cycle
    output wire                        write_failed,
    // The queues of the data path.
    input  wire  [       QUEUE_BITS:0] in_level,
    output wire                        push,
    output wire  [               63:0] push_data,
    output wire                        push_last,
    input  wire  [       QUEUE_BITS:0] out_level,
    input  wire  [               63:0] pop_data,
    output wire                        pop,
    // Memory.
    output wire [  MASTER_ID_BITS-1:0] m_axi_awid,
    output wire [                31:0] m_axi_awaddr,
    output wire [                 3:0] m_axi_awlen,
    output wire [                 2:0] m_axi_awsize,
    output wire [                 1:0] m_axi_awburst,
    output wire [                 3:0] m_axi_awcache,
    output wire [                 2:0] m_axi_awprot,
    output wire                        m_axi_awvalid,
    input  wire                        m_axi_awready,
    output wire [  MASTER_ID_BITS-1:0] m_axi_wid,
    output wire [                63:0] m_axi_wdata,
    output wire [                 7:0] m_axi_wstrb,
    output wire                        m_axi_wlast,
    output wire                        m_axi_wvalid,
    input  wire                        m_axi_wready,
    input  wire [  MASTER_ID_BITS-1:0] m_axi_bid,
    input  wire [                 1:0] m_axi_bresp,
    input  wire                        m_axi_bvalid,
    output wire                        m_axi_bready,
    output wire [  MASTER_ID_BITS-1:0] m_axi_arid,
    output wire [                31:0] m_axi_araddr,
    output wire [                 3:0] m_axi_arlen,
    output wire [                 2:0] m_axi_arsize,
    output wire [                 1:0] m_axi_arburst,
    output wire [                 3:0] m_axi_arcache,
    output wire [                 2:0] m_axi_arprot,
    output wire                        m_axi_arvalid,
    input  wire                        m_axi_arready,
    input  wire [  MASTER_ID_BITS-1:0] m_axi_rid,
    input  wire [                63:0] m_axi_rdata,
    input  wire [                 1:0] m_axi_rresp,
    input  wire                        m_axi_rlast,
    input  wire                        m_axi_rvalid,
    output wire                        m_axi_rready
);
  wire read_drained, read_finished, write_drained, write_finished;
  wire unused_ids = &{1'b0, m_axi_bid, m_axi_rid};

  assign drained = read_drained && write_drained;
  assign finished = read_finished && write_finished;

  assign m_axi_awid = '0;
  assign m_axi_awsize = 3'd3;
  assign m_axi_awburst = 2'd1;
  assign m_axi_awcache = 4'b0011;  // modifiable, bufferable, as Xilinx' own DMA has it
  assign m_axi_awprot = 3'd0;
  assign m_axi_wid = '0;
  assign m_axi_wstrb = 8'hFF;
  assign m_axi_arid = '0;
  assign m_axi_arsize = 3'd3;
  assign m_axi_arburst = 2'd1;
  assign m_axi_arcache = 4'b0011;
  assign m_axi_arprot = 3'd0;

  sbnn_dma_read #(
      .IMAGE_BEATS(IMAGE_BEATS),
      .QUEUE_BITS (QUEUE_BITS)
  ) u_read (
      .aclk(aclk),
      .aresetn(aresetn),
      .start(start),
      .beat_address(source),
      .images(images),
      .stop(stop),
      .drained(read_drained),
      .finished(read_finished),
      .failed(read_failed),
      .level(in_level),
      .push(push),
      .push_data(push_data),
      .push_last(push_last),
      .m_axi_araddr(m_axi_araddr),
      .m_axi_arlen(m_axi_arlen),
      .m_axi_arvalid(m_axi_arvalid),
      .m_axi_arready(m_axi_arready),
      .m_axi_rdata(m_axi_rdata),
      .m_axi_rresp(m_axi_rresp),
      .m_axi_rlast(m_axi_rlast),
      .m_axi_rvalid(m_axi_rvalid),
      .m_axi_rready(m_axi_rready)
  );

  sbnn_dma_write #(
      .RESULT_BEATS(RESULT_BEATS),
      .QUEUE_BITS  (QUEUE_BITS)
  ) u_write (
      .aclk(aclk),
      .aresetn(aresetn),
      .start(start),
      .beat_address(target),
      .images(images),
      .stop(stop),
      .drained(write_drained),
      .finished(write_finished),
      .failed(write_failed),
      .level(out_level),
      .pop_data(pop_data),
      .pop(pop),
      .m_axi_awaddr(m_axi_awaddr),
      .m_axi_awlen(m_axi_awlen),
      .m_axi_awvalid(m_axi_awvalid),
      .m_axi_awready(m_axi_awready),
      .m_axi_wdata(m_axi_wdata),
      .m_axi_wlast(m_axi_wlast),
      .m_axi_wvalid(m_axi_wvalid),
      .m_axi_wready(m_axi_wready),
      .m_axi_bresp(m_axi_bresp),
      .m_axi_bvalid(m_axi_bvalid),
      .m_axi_bready(m_axi_bready)
  );
endmodule
`default_nettype wire
