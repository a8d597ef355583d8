// SPDX-License-Identifier: Apache-2.0
// sbnn_dma_write: a batch's results leave in order, in bursts that AXI3 allows, each begun one to its end.
//
// `due` and `done` count the images whose results are still to leave and the beats of the current one that
// have; `next` is the address of the next burst, `owed` the beats of begun bursts that have not left.
// A burst begins when its AWVALID is first seen. Memory answers a burst after its last beat, before it took
// the address even, as AXI3 allows. The queue is its level and its head. The solver plays memory, the core
// and whoever starts and stops.
`default_nettype none

module prove_dma_write #(
  parameter int RESULT_BEATS = 3,
  parameter int QUEUE_BITS = 5,
  parameter int OUTSTANDING = 2
) (
  input wire         aclk,
  input wire         aresetn,
  input wire         start,
  input wire [28:0]  beat_address,
  input wire [31:0]  images,
  input wire         stop,
  input wire [63:0]  pop_data,
  input wire         m_axi_awready,
  input wire         m_axi_wready,
  input wire [1:0]   m_axi_bresp,
  input wire         m_axi_bvalid,
  input wire         queue_push
);
  localparam int KNOWN_BITS = $clog2(RESULT_BEATS + 32);
  localparam int COUNT_BITS = $clog2(OUTSTANDING + 1);
  localparam int WIDE = QUEUE_BITS + 2;
  localparam int DONE_W = $clog2(RESULT_BEATS + 1);
  localparam int SIZE = 1 << QUEUE_BITS;
  // A burst follows after as many cycles as results make a longest one, and one.
  localparam int PATIENCE = (16 + RESULT_BEATS - 1) / RESULT_BEATS + 1;

  wire         drained, finished, failed, pop, m_axi_awvalid, m_axi_wlast, m_axi_wvalid, m_axi_bready;
  wire [31:0]  m_axi_awaddr;
  wire [3:0]   m_axi_awlen;
  wire [63:0]  m_axi_wdata;
  reg [QUEUE_BITS:0]  level;
  sbnn_dma_write #(.RESULT_BEATS(RESULT_BEATS), .QUEUE_BITS(QUEUE_BITS), .OUTSTANDING(OUTSTANDING)) u (
    .aclk, .aresetn, .start, .beat_address, .images, .stop, .drained, .finished, .failed,
    .level, .pop_data, .pop, .m_axi_awaddr, .m_axi_awlen, .m_axi_awvalid, .m_axi_awready,
    .m_axi_wdata, .m_axi_wlast, .m_axi_wvalid, .m_axi_wready, .m_axi_bresp, .m_axi_bvalid, .m_axi_bready
  );
  `include "words.svh"
  localparam int PLACE_W = $clog2(OUTSTANDING);
  (* hierconn *) wire [28:0]            \u.next_q ;
  (* hierconn *) wire [31:0]            \u.images_q ;
  (* hierconn *) wire [KNOWN_BITS-1:0]  \u.known_q ;
  (* hierconn *) wire [COUNT_BITS-1:0]  \u.bursts_q ;
  (* hierconn *) wire [QUEUE_BITS:0]    \u.promised_q ;
  (* hierconn *) wire [3:0]             \u.sent_q ;
  (* hierconn *) wire [PLACE_W-1:0]     \u.u_lengths.write_q ;
  (* hierconn *) wire [PLACE_W-1:0]     \u.u_lengths.read_q ;
  (* hierconn *) wire [PLACE_W:0]       \u.u_lengths.level_q ;

  reg                         alive = 0;
  reg                         stopped, quiet, held, held_beat, kept;
  reg [35:0]                  held_address;
  reg [64:0]                  held_data;
  reg [63:0]                  kept_data;
  reg [28:0]                  next;
  reg [31:0]                  due;
  reg [DONE_W-1:0]            done;
  reg [COUNT_BITS-1:0]        sent, open;  // unanswered bursts with all their data; without
  reg [WIDE-1:0]              asked, went;            // beats, modulo 2 ** WIDE
  reg [WIDE*OUTSTANDING-1:0]  ends;                   // `asked` after each open burst, the oldest lowest
  reg [5:0]                   idle;
  wire begins = m_axi_awvalid && !held;
  wire beat = m_axi_wvalid && m_axi_wready;
  wire burst_end = beat && m_axi_wlast;
  wire answer = m_axi_bvalid && m_axi_bready;
  wire [4:0] length = m_axi_awlen + 5'd1;
  wire [4:0] shown = begins ? length : 5'd0;
  wire [WIDE-1:0] owed = asked - went;
  wire [15:0] reserved = owed + shown;
  wire [7:0] opened = open + begins;
  wire [7:0] unanswered = sent + opened;
  reg [WIDE*OUTSTANDING-1:0] all_ends;

  // What the module keeps of open bursts: their lengths, and how much of the oldest has left.
  reg                sound;
  reg [WIDE-1:0]     before;
  reg [PLACE_W-1:0]  place;
  integer i;
  always @* begin
    all_ends = ends;
    if (begins) all_ends[WIDE*open +: WIDE] = asked + length;
    sound = opened != 0 || owed == 0;
    before = went - \u.sent_q ;
    for (i = 0; i < OUTSTANDING; i = i + 1) if (i < opened) begin
      place = \u.u_lengths.read_q + i;
      if (all_ends[WIDE*i +: WIDE] != WIDE'(before + words[4*place +: 4] + 1)) sound = 0;
      before = all_ends[WIDE*i +: WIDE];
      if (i + 1 == opened && before != WIDE'(asked + shown)) sound = 0;
    end
  end

  // Beats for which no burst has begun, 16 at most: with 256 images due there are always more.
  wire [19:0] unasked = due[7:0] * RESULT_BEATS - done - owed;
  wire [9:0]  some = due > 255 || unasked > 16 ? 16 : unasked;
  wire [9:0]  to_boundary = 10'd512 - next[8:0];
  wire [9:0]  wanted = some < to_boundary ? some : to_boundary;
  wire        waits = !stop && !m_axi_awvalid && some != 0 && unanswered < OUTSTANDING && level >= owed + wanted;

  always @(posedge aclk) begin
    stopped <= aresetn && stop;
    quiet <= aresetn && stop && !m_axi_awvalid;
    held <= aresetn && m_axi_awvalid && !m_axi_awready;
    held_address <= {m_axi_awaddr, m_axi_awlen};
    held_beat <= aresetn && m_axi_wvalid && !m_axi_wready;
    held_data <= {m_axi_wlast, m_axi_wdata};
    kept <= aresetn && level != 0 && !pop;
    kept_data <= pop_data;
    idle <= aresetn && waits ? idle + 1 : 0;
    level <= level + queue_push - pop;
    sent <= sent + burst_end - answer;
    open <= opened - burst_end;
    asked <= asked + shown;
    went <= went + beat;
    ends <= burst_end ? all_ends >> WIDE : all_ends;
    if (beat) done <= done == RESULT_BEATS - 1 ? 0 : done + 1;
    if (start) begin
      next <= beat_address;
      due <= images;
    end else begin
      next <= next + shown;
      if (beat && done == RESULT_BEATS - 1) due <= due - 1;
    end
    if (!aresetn) begin
      alive <= 1;
      level <= 0;
      sent <= 0;
      open <= 0;
      asked <= 0;
      went <= 0;
      due <= 0;
      done <= 0;
    end
  end

  wire [31:0] begun = due - \u.images_q ;  // images of which the module counts beats
  always @* if (alive) begin
    assume (aresetn || drained);
    if (stopped && aresetn) assume (stop);
    assume (!start || (finished && !stop));
    assume (!queue_push || level < SIZE);
    if (kept) assume (pop_data == kept_data);
    assume (!m_axi_bvalid || sent != 0);
    if (held) p_hold: assert (m_axi_awvalid && {m_axi_awaddr, m_axi_awlen} == held_address);
    if (held_beat) p_stable: assert (m_axi_wvalid && {m_axi_wlast, m_axi_wdata} == held_data);
    if (begins) begin
      p_address: assert (m_axi_awaddr == {next, 3'b000});
      p_boundary: assert (m_axi_awaddr[11:0] + 8 * length <= 4096);
      p_length: assert (length == wanted);
    end
    if (quiet) p_stop: assert (!m_axi_awvalid);
    p_most: assert (unanswered <= OUTSTANDING);
    p_send: assert (m_axi_wvalid == (opened != 0));
    if (m_axi_wvalid) p_last: assert (m_axi_wlast == (all_ends[WIDE-1:0] == WIDE'(went + 1)));
    p_pop: assert (pop == beat && (!m_axi_wvalid || (level != 0 && m_axi_wdata == pop_data)));
    p_failed: assert (m_axi_bready && failed == (m_axi_bvalid && m_axi_bresp != 0));
    p_drained: assert (drained == (unanswered == 0 && !m_axi_awvalid));
    p_finished: assert (finished == (due == 0 && drained));
    p_progress: assert (idle <= PATIENCE);
    i_bursts: assert (\u.bursts_q == unanswered);
    i_places: assert (\u.u_lengths.level_q == opened && opened <= OUTSTANDING
      && PLACE_W'(\u.u_lengths.write_q - \u.u_lengths.read_q ) == opened[PLACE_W-1:0]);
    i_promised: assert (\u.promised_q == reserved && reserved <= level && level <= SIZE);
    i_sent: assert (opened != 0 ? \u.sent_q <= words[4*\u.u_lengths.read_q +: 4] : \u.sent_q == 0);
    i_ends: assert (sound);
    if (some != 0) i_next: assert (\u.next_q == 29'(next + shown));
    i_begun: assert (\u.images_q <= due && begun < 256);
    i_due: assert (begun[7:0] * RESULT_BEATS == \u.known_q + shown + owed + done);
    i_known: assert (\u.known_q < 32 + RESULT_BEATS && done < RESULT_BEATS);
    if (!m_axi_awvalid)
      i_idle: assert (idle < PATIENCE && (idle * RESULT_BEATS <= \u.known_q || \u.images_q == 0));
    if (held) i_held: assert (m_axi_awvalid && !begins);
  end
endmodule

`default_nettype wire
