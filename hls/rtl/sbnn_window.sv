// SPDX-License-Identifier: Apache-2.0
// Slide a window over a map that arrives position by position, and hand out each place's contents as a vector.
//
// Steps through the padded map row by row, one position a cycle; padding needs no input and has the value 0.
// `take` is high in the cycle that completes a window; the vector is on `x` one cycle later, for at least one
// cycle: tap (row, column) in bits (row*KERNEL_W + column)*BITS +: BITS. A completing step waits for `go`, the
// others never wait for it; there is no path from any ready to in_ready. One map takes
// (HEIGHT+PAD_TOP+PAD_BOTTOM)*(WIDTH+PAD_LEFT+PAD_RIGHT) cycles, and the next may follow at once.
// Cost: a row memory of (KERNEL_H-1)*BITS bits x padded width, KERNEL_H*KERNEL_W*BITS flip-flops.
`default_nettype none

module sbnn_window #(
  parameter int BITS = 8,
  parameter int HEIGHT = 5,
  parameter int WIDTH = 5,
  parameter int KERNEL_H = 3,
  parameter int KERNEL_W = 3,
  parameter int STRIDE_H = 1,
  parameter int STRIDE_W = 1,
  parameter int PAD_TOP = 0,
  parameter int PAD_LEFT = 0,
  parameter int PAD_BOTTOM = 0,
  parameter int PAD_RIGHT = 0
) (
  input  wire                                aclk,
  input  wire                                aresetn,
  input  wire                                in_valid,
  output wire                                in_ready,
  input  wire [BITS-1:0]                     in_data,
  input  wire                                go,
  output wire                                take,
  output wire [KERNEL_H*KERNEL_W*BITS-1:0]   x
);

  localparam int ROWS = HEIGHT + PAD_TOP + PAD_BOTTOM;
  localparam int COLUMNS = WIDTH + PAD_LEFT + PAD_RIGHT;
  localparam int ROW_W = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam int COLUMN_W = COLUMNS > 1 ? $clog2(COLUMNS) : 1;
  localparam int PHASE_H_W = STRIDE_H > 1 ? $clog2(STRIDE_H) : 1;
  localparam int PHASE_W_W = STRIDE_W > 1 ? $clog2(STRIDE_W) : 1;

  logic                  up_q;  // low during reset and one cycle longer: nothing is lost into a reset
  logic [ROW_W-1:0]      row_q;
  logic [COLUMN_W-1:0]   column_q;
  logic [PHASE_H_W-1:0]  phase_h_q;  // 0: windows end in this row; counts from the first such row on
  logic [PHASE_W_W-1:0]  phase_w_q;

  wire on_map = 32'(row_q) + 1 > PAD_TOP && 32'(row_q) < PAD_TOP + HEIGHT
             && 32'(column_q) + 1 > PAD_LEFT && 32'(column_q) < PAD_LEFT + WIDTH;
  wire ends_row = 32'(row_q) + 2 > KERNEL_H && phase_h_q == '0;
  wire ends = ends_row && 32'(column_q) + 2 > KERNEL_W && phase_w_q == '0;
  wire last_column = 32'(column_q) == COLUMNS - 1;
  wire last_row = 32'(row_q) == ROWS - 1;
  wire step = up_q && (!on_map || in_valid) && (!ends || go);

  assign in_ready = up_q && on_map && (!ends || go);
  assign take = step && ends;

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      up_q      <= 1'b0;
      row_q     <= '0;
      column_q  <= '0;
      phase_h_q <= '0;
      phase_w_q <= '0;
    end else begin
      up_q <= 1'b1;
      if (step) begin
        column_q <= last_column ? '0 : column_q + 1'b1;
        if (last_column || 32'(column_q) + 1 < KERNEL_W) phase_w_q <= '0;
        else phase_w_q <= 32'(phase_w_q) == STRIDE_W - 1 ? '0 : phase_w_q + 1'b1;
        if (last_column) begin
          row_q <= last_row ? '0 : row_q + 1'b1;
          if (last_row || 32'(row_q) + 1 < KERNEL_H) phase_h_q <= '0;
          else phase_h_q <= 32'(phase_h_q) == STRIDE_H - 1 ? '0 : phase_h_q + 1'b1;
        end
      end
    end
  end

  // What the window gets at its right edge: the rows above at this column, oldest first, and the new value.
  wire [BITS-1:0] value = on_map ? in_data : '0;
  wire [KERNEL_H*BITS-1:0] edge_column;

  if (KERNEL_H > 1) begin : gen_rows
    localparam int ABOVE = (KERNEL_H - 1) * BITS;
    wire [COLUMN_W-1:0] next_column = last_column ? '0 : column_q + 1'b1;
    logic [ABOVE-1:0] above_q;
    assign edge_column = {value, above_q};
    if (COLUMNS > 1) begin : gen_memory
      // Read one step ahead, so that block memories, which answer a cycle later, will do.
      logic [ABOVE-1:0] ram [COLUMNS];
      always_ff @(posedge aclk) begin
        if (step) begin
          ram[column_q] <= edge_column[BITS +: ABOVE];
          above_q <= ram[next_column];
        end
      end
    end else begin : gen_register
      wire unused = &{1'b0, next_column};
      always_ff @(posedge aclk) begin
        if (step) above_q <= edge_column[BITS +: ABOVE];
      end
    end
  end else begin : gen_no_rows
    assign edge_column = value;
  end

  for (genvar r = 0; r < KERNEL_H; r++) begin : gen_window
    logic [KERNEL_W*BITS-1:0] taps_q;
    if (KERNEL_W > 1) begin : gen_shift
      always_ff @(posedge aclk) begin
        if (step) taps_q <= {edge_column[r*BITS +: BITS], taps_q[KERNEL_W*BITS-1:BITS]};
      end
    end else begin : gen_one
      always_ff @(posedge aclk) begin
        if (step) taps_q <= edge_column[r*BITS +: BITS];
      end
    end
    assign x[r*KERNEL_W*BITS +: KERNEL_W*BITS] = taps_q;
  end

  if (ROWS < KERNEL_H || COLUMNS < KERNEL_W) begin : gen_check
    initial $fatal(1, "sbnn_window: the kernel exceeds the padded map of %0d x %0d", ROWS, COLUMNS);
  end

endmodule

`default_nettype wire
