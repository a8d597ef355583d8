// SPDX-License-Identifier: Apache-2.0
// sbnn_window: every place of every map comes once, in order, and holds that map's values, or 0 in the padding.
//
// `a`, `b` is any one position of the padded map; `value` what came in for it last, `value_map` in which map
// (maps are told apart by a bit; p_maps shows that the two sides are never a whole map apart).
`default_nettype none

module prove_window #(
  parameter int BITS = 1,
  parameter int HEIGHT = 3,
  parameter int WIDTH = 3,
  parameter int KERNEL_H = 2,
  parameter int KERNEL_W = 2,
  parameter int STRIDE_H = 1,
  parameter int STRIDE_W = 1,
  parameter int PAD_TOP = 0,
  parameter int PAD_LEFT = 0,
  parameter int PAD_BOTTOM = 0,
  parameter int PAD_RIGHT = 0
) (
  input wire             aclk,
  input wire             aresetn,
  input wire             in_valid,
  input wire [BITS-1:0]  in_data,
  input wire             go
);
  localparam int ROWS = HEIGHT + PAD_TOP + PAD_BOTTOM;
  localparam int COLUMNS = WIDTH + PAD_LEFT + PAD_RIGHT;
  localparam int OUT_ROWS = (ROWS - KERNEL_H) / STRIDE_H + 1;
  localparam int OUT_COLUMNS = (COLUMNS - KERNEL_W) / STRIDE_W + 1;
  localparam int ROW_W = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam int COLUMN_W = COLUMNS > 1 ? $clog2(COLUMNS) : 1;
  localparam int PHASE_H_W = STRIDE_H > 1 ? $clog2(STRIDE_H) : 1;
  localparam int PHASE_W_W = STRIDE_W > 1 ? $clog2(STRIDE_W) : 1;
  localparam int ABOVE = KERNEL_H > 1 ? (KERNEL_H - 1) * BITS : 1;

  wire                               in_ready, take;
  wire [KERNEL_H*KERNEL_W*BITS-1:0]  x;
  sbnn_window #(
    .BITS(BITS), .HEIGHT(HEIGHT), .WIDTH(WIDTH), .KERNEL_H(KERNEL_H), .KERNEL_W(KERNEL_W),
    .STRIDE_H(STRIDE_H), .STRIDE_W(STRIDE_W), .PAD_TOP(PAD_TOP), .PAD_LEFT(PAD_LEFT),
    .PAD_BOTTOM(PAD_BOTTOM), .PAD_RIGHT(PAD_RIGHT)
  ) u (.aclk, .aresetn, .in_valid, .in_ready, .in_data, .go, .take, .x);
  `include "words.svh"
  (* hierconn *) wire                  \u.up_q ;
  (* hierconn *) wire                  \u.step ;
  (* hierconn *) wire [ROW_W-1:0]      \u.row_q ;
  (* hierconn *) wire [COLUMN_W-1:0]   \u.column_q ;
  (* hierconn *) wire [PHASE_H_W-1:0]  \u.phase_h_q ;
  (* hierconn *) wire [PHASE_W_W-1:0]  \u.phase_w_q ;
  (* hierconn *) wire [ABOVE-1:0]      \u.gen_rows.above_q ;

  (* anyconst *) wire [7:0] a;
  (* anyconst *) wire [7:0] b;
  wire on_map = a >= PAD_TOP && a < PAD_TOP + HEIGHT && b >= PAD_LEFT && b < PAD_LEFT + WIDTH;

  reg             alive = 0;
  reg             started;               // the cycle before was not a reset
  reg [7:0]       in_row, in_column;     // of the value that comes next
  reg             in_map;                // of which map
  reg [7:0]       out_row, out_column;   // of the window that comes next
  reg             out_map;
  reg [BITS-1:0]  value;
  reg             value_map;
  reg             fresh;                 // the cycle before handed out the window below
  reg [7:0]       fresh_row, fresh_column;
  reg             fresh_map;
  wire accept = in_valid && in_ready;
  wire row_in = in_column == WIDTH - 1;
  wire row_out = out_column == OUT_COLUMNS - 1;

  // The scan, for the invariants: the map it is in and the position it came from.
  reg             scan_map, moved, last_map;
  reg [7:0]       last_row, last_column;

  always @(posedge aclk) begin
    started <= aresetn;
    fresh <= aresetn && take;
    fresh_row <= out_row;
    fresh_column <= out_column;
    fresh_map <= out_map;
    if (!aresetn) begin
      alive <= 1;
      in_row <= 0;
      in_column <= 0;
      in_map <= 0;
      out_row <= 0;
      out_column <= 0;
      out_map <= 0;
      value_map <= 1;
      scan_map <= 0;
      moved <= 0;
    end else begin
      if (accept) begin
        in_column <= row_in ? 0 : in_column + 1;
        if (row_in) in_row <= in_row == HEIGHT - 1 ? 0 : in_row + 1;
        if (row_in && in_row == HEIGHT - 1) in_map <= !in_map;
        if (in_row + PAD_TOP == a && in_column + PAD_LEFT == b) begin
          value <= in_data;
          value_map <= in_map;
        end
      end
      if (take) begin
        out_column <= row_out ? 0 : out_column + 1;
        if (row_out) out_row <= out_row == OUT_ROWS - 1 ? 0 : out_row + 1;
        if (row_out && out_row == OUT_ROWS - 1) out_map <= !out_map;
      end
      if (\u.step ) begin
        moved <= 1;
        last_row <= \u.row_q ;
        last_column <= \u.column_q ;
        last_map <= scan_map;
        if (\u.row_q == ROWS - 1 && \u.column_q == COLUMNS - 1) scan_map <= !scan_map;
      end
    end
  end

  // The value that a window has to hold at (a, b), and the tap of the fresh window where that is.
  wire [BITS-1:0] wanted = on_map ? value : 0;
  wire [7:0] tap_row = a - fresh_row * STRIDE_H;
  wire [7:0] tap_column = b - fresh_column * STRIDE_W;
  wire covers = a >= fresh_row * STRIDE_H && tap_row < KERNEL_H
             && b >= fresh_column * STRIDE_W && tap_column < KERNEL_W;
  wire [BITS-1:0] seen = x[(tap_row*KERNEL_W + tap_column)*BITS +: BITS];

  always @* begin
    assume (a < ROWS && b < COLUMNS);
    if (alive) begin
      if (fresh && covers) p_window: assert (seen == wanted && (!on_map || value_map == fresh_map));
      if (accept && in_row == 0 && in_column == 0)
        p_maps: assert (out_row == 0 && out_column == 0 && out_map == in_map);
      p_go: assert (!take || go);
      if (!started) p_reset: assert (!in_ready && !take);
      p_progress: assert (idle <= PATIENCE);
    end
  end

  // With both sides going a value is taken after the padding before it at the latest.
  localparam int PATIENCE = (PAD_TOP + PAD_BOTTOM) * COLUMNS + PAD_LEFT + PAD_RIGHT;
  reg [7:0] idle;
  always @(posedge aclk) idle <= aresetn && started && in_valid && go && !accept ? idle + 1 : 0;

  wire [7:0] row = \u.row_q ;
  wire [7:0] column = \u.column_q ;
  wire in_this_row = row >= PAD_TOP && row < PAD_TOP + HEIGHT;
  wire [7:0] came = !in_this_row || column < PAD_LEFT ? 0 : column - PAD_LEFT;  // values of this row
  wire [7:0] came_rows = row < PAD_TOP || row >= PAD_TOP + HEIGHT ? 0
    : row - PAD_TOP + (came >= WIDTH);
  wire came_all = row >= PAD_TOP + HEIGHT || (in_this_row && came >= WIDTH && row == PAD_TOP + HEIGHT - 1);
  wire [7:0] rows_ended = row < KERNEL_H - 1 ? 0 : (row - (KERNEL_H - 1) + STRIDE_H - 1) / STRIDE_H;
  wire ends_here = row >= KERNEL_H - 1 && (row - (KERNEL_H - 1)) % STRIDE_H == 0;
  wire [7:0] ended = !ends_here || column < KERNEL_W - 1 ? 0
    : (column - (KERNEL_W - 1) + STRIDE_W - 1) / STRIDE_W;
  wire [7:0] ended_rows = rows_ended + (ended == OUT_COLUMNS);
  wire ended_all = ended_rows == OUT_ROWS;
  wire passed = a < row || (a == row && b < column);  // in this map
  wire wraps = last_column == COLUMNS - 1;

  wire [7:0] lead = !in_this_row ? (row - (row < PAD_TOP ? 0 : PAD_TOP + HEIGHT)) * COLUMNS + column
      + (row < PAD_TOP ? PAD_BOTTOM * COLUMNS : 0) + PAD_RIGHT  // padding since the last value
    : column > PAD_LEFT + WIDTH ? column - PAD_LEFT - WIDTH
    : column > PAD_LEFT ? 0
    : column + PAD_RIGHT + (row == PAD_TOP ? (PAD_TOP + PAD_BOTTOM) * COLUMNS : 0);

  // Where the value at (a, b) is once the scan has passed it: a tap of x, a place of the row memory.
  wire [7:0] up = last_row - a;
  wire [7:0] left = last_column - b;
  wire in_x = moved && a <= last_row && up < KERNEL_H && b <= last_column && left < KERNEL_W;
  wire [7:0] stored_row = last_column >= b ? last_row : last_row - 1;  // the last row of column b in the memory
  wire [7:0] age = stored_row - a;
  wire in_memory = moved && KERNEL_H > 1 && (last_column >= b || last_row != 0)
                && a <= stored_row && age < KERNEL_H - 1;
  wire [7:0] slot = KERNEL_H - 2 - age;

  always @* if (alive) begin
    i_up: assert (started == \u.up_q );
    if (!started) i_reset: assert (row == 0 && column == 0 && !moved && idle == 0);
    i_scan: assert (row < ROWS && column < COLUMNS);
    i_phase_h: assert (\u.phase_h_q == (row < KERNEL_H - 1 ? 0 : (row - (KERNEL_H - 1)) % STRIDE_H));
    i_phase_w: assert (\u.phase_w_q == (column < KERNEL_W - 1 ? 0 : (column - (KERNEL_W - 1)) % STRIDE_W));
    if (moved) i_moved: assert (last_row < ROWS && last_column < COLUMNS
      && column == (wraps ? 0 : last_column + 1)
      && row == (wraps ? (last_row == ROWS - 1 ? 0 : last_row + 1) : last_row)
      && last_map == (row == 0 && column == 0 ? !scan_map : scan_map));
    if (!moved) i_first: assert (row == 0 && column == 0 && scan_map == 0);
    i_in: assert (in_map == (came_all ? !scan_map : scan_map)
      && in_row == (came_all ? 0 : came_rows) && in_column == (came >= WIDTH ? 0 : came));
    i_out: assert (out_map == (ended_all ? !scan_map : scan_map)
      && out_row == (ended_all ? 0 : ended_rows) && out_column == (ended == OUT_COLUMNS ? 0 : ended));
    if (on_map) i_value: assert (value_map == (passed ? scan_map : !scan_map));
    if (in_x) i_x: assert (x[((KERNEL_H-1-up)*KERNEL_W + KERNEL_W-1-left)*BITS +: BITS] == wanted);
    if (in_memory && COLUMNS > 1) i_memory: assert (words[(b*(KERNEL_H-1) + slot)*BITS +: BITS] == wanted);
    if (in_memory && b == column) i_above: assert (\u.gen_rows.above_q [slot*BITS +: BITS] == wanted);
    i_idle: assert (idle <= lead);
    if (fresh) i_fresh: assert (moved && fresh_map == last_map
      && fresh_row * STRIDE_H + KERNEL_H - 1 == last_row
      && fresh_column * STRIDE_W + KERNEL_W - 1 == last_column);
  end
endmodule

`default_nettype wire
