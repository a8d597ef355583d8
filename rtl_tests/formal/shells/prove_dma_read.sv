// SPDX-License-Identifier: Apache-2.0
// sbnn_dma_read: a batch is asked for once, in order, in bursts that AXI3 allows, and arrives in full.
//
// `due` and `done` count the images that are still to arrive and the beats of the current one that have;
// `next` is the address to be asked for next, `owed` the beats that memory was asked for and has not given.
// Memory gives beats of the oldest burst only, with RLAST on its last. The queue is its level. The solver
// plays memory, the queue's other end and whoever starts and stops.
`default_nettype none

module prove_dma_read #(
  parameter int IMAGE_BEATS = 3,
  parameter int QUEUE_BITS = 5,
  parameter int OUTSTANDING = 2
) (
  input wire         aclk,
  input wire         aresetn,
  input wire         start,
  input wire [28:0]  beat_address,
  input wire [31:0]  images,
  input wire         stop,
  input wire         m_axi_arready,
  input wire [63:0]  m_axi_rdata,
  input wire [1:0]   m_axi_rresp,
  input wire         m_axi_rlast,
  input wire         m_axi_rvalid,
  input wire         queue_pop
);
  localparam int KNOWN_BITS = $clog2(IMAGE_BEATS + 32);
  localparam int COUNT_BITS = $clog2(OUTSTANDING + 1);
  localparam int WIDE = QUEUE_BITS + 2;
  localparam int DONE_W = $clog2(IMAGE_BEATS + 1);
  localparam int SIZE = 1 << QUEUE_BITS;
  // An address follows after as many cycles as images make a longest burst, and one.
  localparam int PATIENCE = (16 + IMAGE_BEATS - 1) / IMAGE_BEATS + 1;

  wire         drained, finished, failed, push, push_last, m_axi_arvalid, m_axi_rready;
  wire [63:0]  push_data;
  wire [31:0]  m_axi_araddr;
  wire [3:0]   m_axi_arlen;
  reg [QUEUE_BITS:0]  level;
  sbnn_dma_read #(.IMAGE_BEATS(IMAGE_BEATS), .QUEUE_BITS(QUEUE_BITS), .OUTSTANDING(OUTSTANDING)) u (
    .aclk, .aresetn, .start, .beat_address, .images, .stop, .drained, .finished, .failed,
    .level, .push, .push_data, .push_last, .m_axi_araddr, .m_axi_arlen, .m_axi_arvalid, .m_axi_arready,
    .m_axi_rdata, .m_axi_rresp, .m_axi_rlast, .m_axi_rvalid, .m_axi_rready
  );
  (* hierconn *) wire [28:0]            \u.next_q ;
  (* hierconn *) wire [31:0]            \u.images_q ;
  (* hierconn *) wire [KNOWN_BITS-1:0]  \u.known_q ;
  (* hierconn *) wire [COUNT_BITS-1:0]  \u.bursts_q ;
  (* hierconn *) wire [QUEUE_BITS:0]    \u.promised_q ;

  reg                      alive = 0;
  reg                      stopped, quiet, held;
  reg [35:0]               held_address;
  reg [28:0]               next;
  reg [31:0]               due;
  reg [DONE_W-1:0]         done;
  reg [COUNT_BITS-1:0]     bursts;
  reg [WIDE-1:0]           asked, came;  // beats, modulo 2 ** WIDE
  reg [WIDE*OUTSTANDING-1:0] ends;       // `asked` after each burst that memory owes, the oldest lowest
  reg [5:0]                idle;
  wire ask = m_axi_arvalid && m_axi_arready;
  wire beat = m_axi_rvalid && m_axi_rready;
  wire burst_end = beat && m_axi_rlast;
  wire [4:0] length = m_axi_arlen + 5'd1;
  wire [4:0] shown = m_axi_arvalid ? length : 5'd0;

  wire [WIDE-1:0] owed = asked - came;
  reg       sound;
  reg [WIDE-1:0] beats, before;  // of one burst; where it begins
  integer i;
  always @* begin
    sound = bursts != 0 || owed == 0;
    before = came;
    for (i = 0; i < OUTSTANDING; i = i + 1) if (i < bursts) begin
      beats = ends[WIDE*i +: WIDE] - before;
      before = ends[WIDE*i +: WIDE];
      if (beats < 1 || beats > 16 || (i + 1 == bursts && before != asked)) sound = 0;
    end
  end

  // Beats to be asked for, 16 at most: with 256 images due there are always more.
  wire [19:0] unasked = due[7:0] * IMAGE_BEATS - done - owed;
  wire [9:0]  some = due > 255 || unasked > 16 ? 16 : unasked;
  wire [9:0]  to_boundary = 10'd512 - next[8:0];
  wire        room = level + owed + 16 <= SIZE;
  wire        waits = !stop && !m_axi_arvalid && some != 0 && bursts < OUTSTANDING && room;

  always @(posedge aclk) begin
    stopped <= aresetn && stop;
    quiet <= aresetn && stop && !m_axi_arvalid;
    held <= aresetn && m_axi_arvalid && !m_axi_arready;
    held_address <= {m_axi_araddr, m_axi_arlen};
    idle <= aresetn && waits ? idle + 1 : 0;
    level <= level + push - queue_pop;
    bursts <= bursts + ask - burst_end;
    asked <= asked + (ask ? length : 0);
    came <= came + beat;
    if (burst_end) ends <= ends >> WIDE;
    if (ask) ends[WIDE*(bursts - burst_end) +: WIDE] <= asked + length;
    if (beat) done <= done == IMAGE_BEATS - 1 ? 0 : done + 1;
    if (start) begin
      next <= beat_address;
      due <= images;
    end else begin
      if (ask) next <= next + length;
      if (beat && done == IMAGE_BEATS - 1) due <= due - 1;
    end
    if (!aresetn) begin
      alive <= 1;
      level <= 0;
      bursts <= 0;
      asked <= 0;
      came <= 0;
      due <= 0;
      done <= 0;
    end
  end

  wire [31:0] begun = due - \u.images_q ;  // images of which the module counts beats
  always @* if (alive) begin
    assume (aresetn || drained);
    if (stopped && aresetn) assume (stop);
    assume (!start || (finished && !stop));
    assume (!queue_pop || level != 0);
    assume (!m_axi_rvalid || bursts != 0);
    if (m_axi_rvalid) assume (m_axi_rlast == (ends[WIDE-1:0] == WIDE'(came + 1)));
    if (held) p_hold: assert (m_axi_arvalid && {m_axi_araddr, m_axi_arlen} == held_address);
    if (m_axi_arvalid) begin
      p_address: assert (m_axi_araddr == {next, 3'b000});
      p_boundary: assert (m_axi_araddr[11:0] + 8 * length <= 4096);
      p_length: assert (length == (some < to_boundary ? some : to_boundary));
    end
    if (quiet) p_stop: assert (!m_axi_arvalid);
    p_most: assert (bursts + m_axi_arvalid <= OUTSTANDING);
    p_push: assert (m_axi_rready && push == (beat && !stop) && push_data == m_axi_rdata);
    p_room: assert (!push || level < SIZE);
    if (push) p_last: assert (push_last == (due == 1 && done == IMAGE_BEATS - 1));
    p_failed: assert (failed == (beat && m_axi_rresp != 0));
    p_drained: assert (drained == (bursts == 0 && !m_axi_arvalid));
    p_finished: assert (finished == (due == 0));
    p_progress: assert (idle <= PATIENCE);
    i_bursts: assert (\u.bursts_q == bursts + m_axi_arvalid);
    i_promised: assert (\u.promised_q == owed + shown && level + owed + shown <= SIZE);
    if (some != 0) i_next: assert (\u.next_q == 29'(next + shown));
    i_begun: assert (\u.images_q <= due && begun < 256);
    i_due: assert (begun[7:0] * IMAGE_BEATS == \u.known_q + shown + owed + done);
    i_known: assert (\u.known_q < 32 + IMAGE_BEATS && done < IMAGE_BEATS);
    if (!m_axi_arvalid)
      i_idle: assert (idle < PATIENCE && (idle * IMAGE_BEATS <= \u.known_q || \u.images_q == 0));
    if (held) i_held: assert (m_axi_arvalid);
    i_ends: assert (sound);
  end
endmodule

`default_nettype wire
