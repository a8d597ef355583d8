// SPDX-License-Identifier: Apache-2.0
//
// AXI3, AXI4 or AXI4-Lite slave of 32 bits: bursts become single word accesses.
//
// Every access is answered OKAY, whatever it is: an error response would end the process on the processor
// with a bus error. What cannot be done arrives with `legal` low. Writes end with WLAST, not with LEN, so
// that a burst of the wrong length ends too. Answers keep the order of the addresses. Data may come before
// or after their address. WID is not looked at: data come in the order of the addresses (no interleaving).
// A write beat a cycle, a read beat every second cycle: no path from RREADY to the registers.
`default_nettype none

module sbnn_axi_slave #(
    parameter ID_BITS  = 12,
    parameter LEN_BITS = 4
) (
    input  wire                 aclk,
    input  wire                 aresetn,
    input  wire  [ ID_BITS-1:0] s_axi_awid,
    input  wire  [        11:0] s_axi_awaddr,
    input  wire  [LEN_BITS-1:0] s_axi_awlen,
    input  wire  [         2:0] s_axi_awsize,
    input  wire  [         1:0] s_axi_awburst,
    input  wire                 s_axi_awvalid,
    output wire                 s_axi_awready,
    input  wire  [        31:0] s_axi_wdata,
    input  wire  [         3:0] s_axi_wstrb,
    input  wire                 s_axi_wlast,
    input  wire                 s_axi_wvalid,
    output wire                 s_axi_wready,
    output wire  [ ID_BITS-1:0] s_axi_bid,
    output wire  [         1:0] s_axi_bresp,
    output wire                 s_axi_bvalid,
    input  wire                 s_axi_bready,
    input  wire  [ ID_BITS-1:0] s_axi_arid,
    input  wire  [        11:0] s_axi_araddr,
    input  wire  [LEN_BITS-1:0] s_axi_arlen,
    input  wire  [         2:0] s_axi_arsize,
    input  wire  [         1:0] s_axi_arburst,
    input  wire                 s_axi_arvalid,
    output wire                 s_axi_arready,
    output wire  [ ID_BITS-1:0] s_axi_rid,
    output wire  [        31:0] s_axi_rdata,
    output wire  [         1:0] s_axi_rresp,
    output wire                 s_axi_rlast,
    output wire                 s_axi_rvalid,
    input  wire                 s_axi_rready,
    // One write, done in the cycle in which it is shown.
    output wire                 write_valid,
    output wire                 write_legal,
    output wire  [         9:0] write_word,
    output wire  [        31:0] write_data,
    // One read; read_data answers in the same cycle.
    output wire                 read_valid,
    output wire                 read_legal,
    output wire  [         9:0] read_word,
    input  wire  [        31:0] read_data
);
  logic [ID_BITS-1:0] bid_q, rid_q, write_id, read_id;
  logic [31:0] data_q, rdata_q;
  logic [9:0] word, word_q;
  logic bvalid_q, rvalid_q, rlast_q, valid_q, legal_q;
  logic write_active, write_last, legal, read_active, read_last, beat;

  assign s_axi_wready = write_active && !bvalid_q;
  assign beat = s_axi_wvalid && s_axi_wready;
  assign s_axi_bid = bid_q;
  assign s_axi_bresp = 2'b00;
  assign s_axi_bvalid = bvalid_q;
  assign s_axi_rid = rid_q;
  assign s_axi_rdata = rdata_q;
  assign s_axi_rresp = 2'b00;
  assign s_axi_rlast = rlast_q;
  assign s_axi_rvalid = rvalid_q;
  assign write_valid = valid_q;
  assign write_legal = legal_q;
  assign write_word = word_q;
  assign write_data = data_q;
  assign read_valid = read_active && !rvalid_q;

  sbnn_axi_burst #(
      .ID_BITS (ID_BITS),
      .LEN_BITS(LEN_BITS)
  ) u_write (
      .aclk(aclk),
      .aresetn(aresetn),
      .id(s_axi_awid),
      .address(s_axi_awaddr),
      .len(s_axi_awlen),
      .size(s_axi_awsize),
      .burst(s_axi_awburst),
      .valid(s_axi_awvalid),
      .ready(s_axi_awready),
      .active(write_active),
      .active_id(write_id),
      .word(word),
      .legal(legal),
      .last(write_last),
      .advance(beat),
      .finish(s_axi_wlast)
  );

  sbnn_axi_burst #(
      .ID_BITS (ID_BITS),
      .LEN_BITS(LEN_BITS)
  ) u_read (
      .aclk(aclk),
      .aresetn(aresetn),
      .id(s_axi_arid),
      .address(s_axi_araddr),
      .len(s_axi_arlen),
      .size(s_axi_arsize),
      .burst(s_axi_arburst),
      .valid(s_axi_arvalid),
      .ready(s_axi_arready),
      .active(read_active),
      .active_id(read_id),
      .word(read_word),
      .legal(read_legal),
      .last(read_last),
      .advance(read_valid),
      .finish(read_last)
  );

  always_ff @(posedge aclk) begin
    // The write is done one cycle after its beat, and seen by every read that follows the answer.
    valid_q <= beat;
    legal_q <= legal && s_axi_wstrb == 4'hF && s_axi_wlast == write_last;
    word_q  <= word;
    data_q  <= s_axi_wdata;
    if (beat && s_axi_wlast) begin
      bvalid_q <= 1'b1;
      bid_q <= write_id;
    end else if (s_axi_bready) begin
      bvalid_q <= 1'b0;
    end
    if (read_valid) begin
      rvalid_q <= 1'b1;
      rid_q <= read_id;
      rlast_q <= read_last;
      rdata_q <= read_data;
    end else if (s_axi_rready) begin
      rvalid_q <= 1'b0;
    end
    if (!aresetn) begin
      valid_q  <= 1'b0;
      bvalid_q <= 1'b0;
      rvalid_q <= 1'b0;
    end
  end
endmodule
`default_nettype wire
