// SPDX-License-Identifier: Apache-2.0
//
// Registers of the Zynq shell; boards/registers.py says what each of them means.
//
// Every access is done in one cycle. One that cannot be done changes nothing, reads 0 and leaves its mark
// in ERRORS. Words of the two FIFO windows pass through to and from the queues of the shell.
`default_nettype none

module sbnn_zynq_registers #(
    parameter OWN_DMA = 0,
    parameter IMAGE_BEATS = 13,
    parameter RESULT_BEATS = 3,
    parameter WORDS_BITS = 9,  // of the levels of the queues, in 32-bit words
    parameter [63:0] BUILD_ID = 64'd0
) (
    input  wire                   aclk,
    input  wire                   aresetn,
    // Accesses; see sbnn_axi_slave.
    input  wire                   write_valid,
    input  wire                   write_legal,
    input  wire  [           9:0] write_word,
    input  wire  [          31:0] write_data,
    input  wire                   read_valid,
    input  wire                   read_legal,
    input  wire  [           9:0] read_word,
    output logic [          31:0] read_data,
    // Commands.
    output wire                   reset,         // one cycle
    output wire                   clear,         // one cycle: counters start anew
    output wire                   source,        // 0: FIFO windows; 1: DMA or external stream
    output wire                   dma_start,     // one cycle
    output wire  [          28:0] dma_source,    // byte address / 8
    output wire  [          28:0] dma_target,
    output wire  [          31:0] dma_images,
    output wire                   error,         // some bit of ERRORS is set
    // State and events of the data path.
    input  wire                   busy,
    input  wire                   in_reset,
    input  wire                   result_waits,
    input  wire                   dma_running,
    input  wire                   dma_done,
    input  wire                   dma_failed,
    input  wire                   short_image,
    input  wire                   read_failed,
    input  wire                   write_failed,
    input  wire  [          31:0] images_in,
    input  wire  [          31:0] images_out,
    input  wire  [          31:0] batch_cycles,
    input  wire  [          31:0] stall_in,
    input  wire  [          31:0] stall_out,
    // The FIFO windows.
    output wire                   push,
    output wire  [          31:0] push_word,
    input  wire  [WORDS_BITS-1:0] in_space,      // words
    output wire                   pop,
    input  wire  [          31:0] pop_word,
    input  wire  [WORDS_BITS-1:0] out_level      // words
);
  localparam logic [31:0] ID = 32'h53424E4E, VERSION = 32'h00010000;
  localparam logic [31:0] FEATURES = OWN_DMA != 0 ? 32'd3 : 32'd5;

  localparam logic [11:0] CONTROL = 12'h020, ERRORS = 12'h028, CYCLES_LO = 12'h030;
  localparam logic [11:0] DMA_SRC = 12'h080, DMA_DST = 12'h084, DMA_IMAGES = 12'h088;
  localparam logic [11:0] DMA_START = 12'h08C;

  logic [63:0] cycles_q;
  logic [31:0] cycles_high_q, source_address_q, target_address_q, images_q;
  logic [6:0] errors_q, errors_set, errors_clear;
  logic source_q, known, written;
  logic [11:0] read_address, write_address;
  wire own_dma, in_window, out_window, write, control, command, start, start_wrong;
  wire source_change, source_wrong, read_fifo, write_fifo, may_push, may_pop;

  assign own_dma = OWN_DMA != 0;
  assign read_address = {read_word, 2'b00};
  assign write_address = {write_word, 2'b00};
  assign write = write_valid && write_legal;
  assign in_window = write_word[9:8] == 2'b10;  // 0x800 to 0xBFF
  assign out_window = read_word[9:8] == 2'b11;  // 0xC00 to 0xFFF

  // Commands.
  assign control = write && write_address == CONTROL;
  assign reset = control && write_data[0];
  assign clear = control && write_data[1];
  assign source_change = control && write_data[5:4] != {1'b0, source_q};
  assign source_wrong = source_change
      && (write_data[5] || ((busy || result_waits || in_reset) && !write_data[0]));
  assign command = own_dma && write && write_address == DMA_START;
  assign start = command && write_data[0];
  assign start_wrong = start && (!source_q || dma_running || in_reset || images_q == '0
      || source_address_q[2:0] != '0 || target_address_q[2:0] != '0);
  assign dma_start = start && !start_wrong;
  assign source = source_q;
  assign dma_source = source_address_q[31:3];
  assign dma_target = target_address_q[31:3];
  assign dma_images = images_q;
  assign error = errors_q != '0;

  // FIFO windows.
  assign write_fifo = write && in_window;
  assign read_fifo = read_valid && read_legal && out_window;
  assign may_push = !source_q && !in_reset && in_space != '0;
  assign may_pop = !source_q && !in_reset && out_level != '0;
  assign push = write_fifo && may_push;
  assign push_word = write_data;
  assign pop = read_fifo && may_pop;

  always_comb begin
    known = 1'b1;
    case (read_address)
      12'h000: read_data = ID;
      12'h004: read_data = VERSION;
      12'h008: read_data = BUILD_ID[31:0];
      12'h00C: read_data = BUILD_ID[63:32];
      12'h010: read_data = FEATURES;
      12'h014: read_data = IMAGE_BEATS;
      12'h018: read_data = RESULT_BEATS;
      CONTROL: read_data = {27'd0, source_q, 4'd0};
      12'h024: read_data = {28'd0, dma_running, result_waits, in_reset, busy};
      ERRORS: read_data = {25'd0, errors_q};
      CYCLES_LO: read_data = cycles_q[31:0];
      12'h034: read_data = cycles_high_q;
      12'h038: read_data = images_in;
      12'h03C: read_data = images_out;
      12'h040: read_data = batch_cycles;
      12'h044: read_data = stall_in;
      12'h048: read_data = stall_out;
      DMA_SRC: {known, read_data} = {own_dma, source_address_q};
      DMA_DST: {known, read_data} = {own_dma, target_address_q};
      DMA_IMAGES: {known, read_data} = {own_dma, images_q};
      12'h090: {known, read_data} = {own_dma, 29'd0, dma_failed, dma_done, dma_running};
      12'h0A0: read_data = in_reset ? 32'd0 : 32'(in_space);
      12'h0A4: read_data = in_reset ? 32'd0 : 32'(out_level);
      default: begin
        known = out_window;
        read_data = out_window && may_pop ? pop_word : 32'd0;
      end
    endcase
    if (!read_legal || !known) read_data = 32'd0;
  end

  always_comb begin
    case (write_address)
      CONTROL, ERRORS: written = 1'b1;
      DMA_SRC, DMA_DST, DMA_IMAGES, DMA_START: written = own_dma;
      default: written = in_window;
    endcase
  end

  assign errors_clear = write && write_address == ERRORS ? write_data[6:0] : 7'd0;
  assign errors_set = {
    source_wrong || start_wrong || ((write_fifo || read_fifo) && source_q),
    read_fifo && !source_q && !may_pop,
    write_fifo && !source_q && !may_push,
    write_failed,
    read_failed,
    (write_valid && !(write_legal && written)) || (read_valid && !(read_legal && known)),
    short_image
  };

  always_ff @(posedge aclk) begin
    errors_q <= (errors_q & ~errors_clear) | errors_set;
    if (source_change && !source_wrong) source_q <= write_data[4];
    if (own_dma && write && write_address == DMA_SRC) source_address_q <= write_data;
    if (own_dma && write && write_address == DMA_DST) target_address_q <= write_data;
    if (own_dma && write && write_address == DMA_IMAGES) images_q <= write_data;
    cycles_q <= clear ? 64'd0 : cycles_q + 64'd1;
    if (read_valid && read_legal && read_address == CYCLES_LO) cycles_high_q <= cycles_q[63:32];
    if (!aresetn) begin
      errors_q <= '0;
      source_q <= 1'b0;
      source_address_q <= '0;
      target_address_q <= '0;
      images_q <= '0;
      cycles_q <= '0;
      cycles_high_q <= '0;
    end
  end
endmodule
`default_nettype wire
