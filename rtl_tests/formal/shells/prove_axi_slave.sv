// SPDX-License-Identifier: Apache-2.0
// sbnn_axi_slave: one answer to every request, with its ID; every beat one access, at the address AXI says.
//
// Nothing is assumed of the master. `w_` and `r_` are the address that is open and the beats it has had
// (up to one more than asked for); the expected word is written in closed form, the module walks.
`default_nettype none

module prove_axi_slave #(
  parameter int ID_BITS = 2,
  parameter int LEN_BITS = 4
) (
  input wire                 aclk,
  input wire                 aresetn,
  input wire [ID_BITS-1:0]   awid, arid,
  input wire [11:0]          awaddr, araddr,
  input wire [LEN_BITS-1:0]  awlen, arlen,
  input wire [2:0]           awsize, arsize,
  input wire [1:0]           awburst, arburst,
  input wire                 awvalid, arvalid, wlast, wvalid, bready, rready,
  input wire [31:0]          wdata,
  input wire [3:0]           wstrb,
  input wire [31:0]          read_data
);
  wire                awready, wready, bvalid, arready, rlast, rvalid;
  wire                write_valid, write_legal, read_valid, read_legal;
  wire [ID_BITS-1:0]  bid, rid;
  wire [1:0]          bresp, rresp;
  wire [31:0]         rdata, write_data;
  wire [9:0]          write_word, read_word;
  sbnn_axi_slave #(.ID_BITS(ID_BITS), .LEN_BITS(LEN_BITS)) u (
    .aclk, .aresetn, .s_axi_awid(awid), .s_axi_awaddr(awaddr), .s_axi_awlen(awlen), .s_axi_awsize(awsize),
    .s_axi_awburst(awburst), .s_axi_awvalid(awvalid), .s_axi_awready(awready), .s_axi_wdata(wdata),
    .s_axi_wstrb(wstrb), .s_axi_wlast(wlast), .s_axi_wvalid(wvalid), .s_axi_wready(wready), .s_axi_bid(bid),
    .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(bready), .s_axi_arid(arid),
    .s_axi_araddr(araddr), .s_axi_arlen(arlen), .s_axi_arsize(arsize), .s_axi_arburst(arburst),
    .s_axi_arvalid(arvalid), .s_axi_arready(arready), .s_axi_rid(rid), .s_axi_rdata(rdata),
    .s_axi_rresp(rresp), .s_axi_rlast(rlast), .s_axi_rvalid(rvalid), .s_axi_rready(rready),
    .write_valid, .write_legal, .write_word, .write_data, .read_valid, .read_legal, .read_word, .read_data
  );

  // The word of beat n, and whether a burst of this kind can be done, but for its first beat and its length.
  function automatic [9:0] word_of(input [11:0] address, input [9:0] n, input [9:0] len, input [1:0] burst);
    word_of = burst == 0 ? address[11:2]
      : burst == 2 ? (address[11:2] & ~len) | ((address[11:2] + n) & len) : address[11:2] + n;
  endfunction
  function automatic kind_ok(input [11:0] address, input [9:0] len, input [2:0] size, input [1:0] burst);
    kind_ok = size == 2 && burst != 3
      && (burst != 2 || (address[1:0] == 0 && (len == 1 || len == 3 || len == 7 || len == 15)));
  endfunction

  reg                 alive = 0;
  reg                 w_open, r_open;
  reg [ID_BITS-1:0]   w_id, r_id;
  reg [11:0]          w_address, r_address;
  reg [LEN_BITS-1:0]  w_len, r_len;
  reg [2:0]           w_size, r_size;
  reg [1:0]           w_burst, r_burst;
  reg [LEN_BITS:0]    w_beats, r_beats;
  reg [9:0]           w_n, r_n;  // the same, modulo 1024
  reg                 wrote, b_due, r_due, held_b, held_r;
  reg [42:0]          write;     // expected of the last write beat
  reg [ID_BITS-1:0]   b_id, held_bid;
  reg [ID_BITS+32:0]  r_wanted, held_read;

  wire w_kind = kind_ok(w_address, w_len, w_size, w_burst);
  wire r_kind = kind_ok(r_address, r_len, r_size, r_burst);
  wire w_off = w_address[1:0] != 0 && (w_beats == 0 || w_burst == 0);
  wire r_off = r_address[1:0] != 0 && (r_beats == 0 || r_burst == 0);
  wire [9:0] w_word = word_of(w_address, w_n, w_len, w_burst);
  wire [9:0] r_word = word_of(r_address, r_n, r_len, r_burst);
  wire w_legal = w_kind && !w_off && wstrb == 15 && w_beats <= w_len && wlast == (w_beats == w_len);
  wire r_legal = r_kind && !r_off;
  wire w_beat = wvalid && wready;

  always @(posedge aclk) begin
    held_b <= aresetn && bvalid && !bready;
    held_bid <= bid;
    held_r <= aresetn && rvalid && !rready;
    held_read <= {rid, rlast, rdata};
    wrote <= aresetn && w_beat;
    write <= {w_legal, w_word, wdata};
    if (bready) b_due <= 0;
    if (rready) r_due <= 0;
    if (awvalid && awready) begin
      w_open <= 1;
      {w_id, w_address, w_len, w_size, w_burst} <= {awid, awaddr, awlen, awsize, awburst};
      w_beats <= 0;
      w_n <= 0;
    end
    if (w_beat) begin
      if (w_beats <= w_len) w_beats <= w_beats + 1;
      w_n <= w_n + 1;
      if (wlast) {w_open, b_due, b_id} <= {1'b0, 1'b1, w_id};
    end
    if (arvalid && arready) begin
      r_open <= 1;
      {r_id, r_address, r_len, r_size, r_burst} <= {arid, araddr, arlen, arsize, arburst};
      r_beats <= 0;
      r_n <= 0;
    end
    if (read_valid) begin
      r_beats <= r_beats + 1;
      r_n <= r_n + 1;
      if (r_beats == r_len) r_open <= 0;
      r_due <= 1;
      r_wanted <= {r_id, r_beats == r_len, read_data};
    end
    if (!aresetn) begin
      alive <= 1;
      {w_open, r_open, b_due, r_due} <= 0;
    end
  end

  (* hierconn *) wire [ID_BITS-1:0]   \u.u_write.id_q , \u.u_read.id_q , \u.bid_q ;
  (* hierconn *) wire [LEN_BITS-1:0]  \u.u_write.len_q , \u.u_read.len_q ;
  (* hierconn *) wire [LEN_BITS-1:0]  \u.u_write.count_q , \u.u_read.count_q ;
  (* hierconn *) wire [1:0]           \u.u_write.burst_q , \u.u_read.burst_q ;
  (* hierconn *) wire [9:0]           \u.u_write.word_q , \u.u_read.word_q ;
  (* hierconn *) wire                 \u.u_write.wrong_q , \u.u_read.wrong_q , \u.u_write.over_q ;
  (* hierconn *) wire                 \u.u_write.off_q , \u.u_read.off_q , \u.u_read.over_q ;

  always @* if (alive) begin
    p_take: assert (awready == !w_open && wready == (w_open && !b_due) && arready == !r_open);
    p_write: assert (write_valid == wrote);
    if (wrote) p_data: assert (write_data == write[31:0] && write_legal == write[42]);
    if (wrote && write[42]) p_word: assert (write_word == write[41:32]);
    p_answer: assert (bvalid == b_due);
    if (bvalid) p_id: assert (bid == b_id && bresp == 0);
    if (held_b) p_hold: assert (bvalid && bid == held_bid);
    p_read: assert (read_valid == (r_open && !r_due));
    if (read_valid) p_legal: assert (read_legal == r_legal && (!r_legal || read_word == r_word));
    p_give: assert (rvalid == r_due);
    if (rvalid) p_beat: assert ({rid, rlast, rdata} == r_wanted && rresp == 0);
    if (held_r) p_stable: assert (rvalid && {rid, rlast, rdata} == held_read);
    if (w_open) begin
      i_write: assert (\u.u_write.id_q == w_id && \u.u_write.len_q == w_len && \u.u_write.burst_q == w_burst
        && \u.u_write.wrong_q == !w_kind && \u.u_write.off_q == w_off && \u.u_write.over_q == (w_beats > w_len)
        && \u.u_write.count_q == (w_beats > w_len ? w_len : w_beats) && (!w_kind || \u.u_write.word_q == w_word));
      i_beats: assert (w_beats <= w_len + 1);
    end
    if (r_open) begin
      i_read: assert (\u.u_read.id_q == r_id && \u.u_read.len_q == r_len && \u.u_read.burst_q == r_burst
        && \u.u_read.wrong_q == !r_kind && \u.u_read.off_q == r_off && !\u.u_read.over_q
        && \u.u_read.count_q == r_beats && (!r_kind || \u.u_read.word_q == r_word));
      i_count: assert (r_beats <= r_len);
    end
    if (held_b) i_answer: assert (b_due && held_bid == b_id);
    if (held_r) i_give: assert (r_due && held_read == r_wanted);
  end
endmodule

`default_nettype wire
