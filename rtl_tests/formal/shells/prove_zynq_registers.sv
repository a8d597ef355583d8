// SPDX-License-Identifier: Apache-2.0
// sbnn_zynq_registers: what reads give, what writes do, and that nothing else happens; see boards/registers.py.
//
// Nothing is assumed: any access in any cycle, in any state of the shell. Written from the register map:
// the names of its registers and of the bits of ERRORS stand beside each case.
`default_nettype none

module prove_zynq_registers #(
  parameter int OWN_DMA = 1,
  parameter int WORDS_BITS = 3
) (
  input wire         aclk,
  input wire         aresetn,
  input wire         write_valid, write_legal, read_valid, read_legal,
  input wire [9:0]   write_word, read_word,
  input wire [31:0]  write_data, pop_word,
  input wire         busy, in_reset, result_waits, dma_running, dma_done, dma_failed,
  input wire         short_image, read_failed, write_failed,
  input wire [31:0]  images_in, images_out, batch_cycles, stall_in, stall_out,
  input wire [WORDS_BITS-1:0]  in_space, out_level
);
  wire [31:0]  read_data, push_word, dma_images;
  wire [28:0]  dma_source, dma_target;
  wire         reset, clear, source, dma_start, error, push, pop;
  sbnn_zynq_registers #(
    .OWN_DMA(OWN_DMA), .IMAGE_BEATS(13), .RESULT_BEATS(3), .WORDS_BITS(WORDS_BITS), .BUILD_ID(64'h123456789abcdef0)
  ) u (
    .aclk, .aresetn, .write_valid, .write_legal, .write_word, .write_data, .read_valid, .read_legal,
    .read_word, .read_data, .reset, .clear, .source, .dma_start, .dma_source, .dma_target, .dma_images,
    .error, .busy, .in_reset, .result_waits, .dma_running, .dma_done, .dma_failed, .short_image,
    .read_failed, .write_failed, .images_in, .images_out, .batch_cycles, .stall_in, .stall_out,
    .push, .push_word, .in_space, .pop, .pop_word, .out_level
  );
  (* hierconn *) wire [63:0]  \u.cycles_q ;
  (* hierconn *) wire [31:0]  \u.cycles_high_q , \u.source_address_q , \u.target_address_q , \u.images_q ;
  (* hierconn *) wire [6:0]   \u.errors_q ;
  (* hierconn *) wire         \u.source_q ;

  reg         alive = 0;
  reg         chosen;                 // SOURCE
  reg [31:0]  from, to, images;       // DMA_SRC, DMA_DST, DMA_IMAGES
  reg [6:0]   errors;
  reg [63:0]  cycles;
  reg [31:0]  high;

  wire [11:0] write_at = {write_word, 2'b00};
  wire [11:0] read_at = {read_word, 2'b00};
  wire writes = write_valid && write_legal;
  wire reads = read_valid && read_legal;
  wire fifo_in = write_at >= 12'h800 && write_at < 12'hC00;
  wire fifo_out = read_at >= 12'hC00;
  wire to_dma = write_at == 12'h080 || write_at == 12'h084 || write_at == 12'h088 || write_at == 12'h08C;
  wire writable = write_at == 12'h020 || write_at == 12'h028 || fifo_in || (OWN_DMA != 0 && to_dma);
  wire room = !chosen && !in_reset && in_space != 0;
  wire there = !chosen && !in_reset && out_level != 0;
  wire control = writes && write_at == 12'h020;
  wire other = control && write_data[5:4] != chosen;
  wire refused = other && (write_data[5] || (!write_data[0] && (busy || in_reset || result_waits)));
  wire go = OWN_DMA != 0 && writes && write_at == 12'h08C && write_data[0];
  wire may_go = chosen && !dma_running && !in_reset && images != 0 && from % 8 == 0 && to % 8 == 0;
  wire clears = writes && write_at == 12'h028;

  reg         readable;
  reg [31:0]  wanted;
  always @* begin
    readable = 1;
    wanted = 0;
    case (read_at)
      12'h000: wanted = 32'h53424E4E;                        // ID
      12'h004: wanted = 32'h00010000;                        // VERSION
      12'h008: wanted = 32'h9abcdef0;                        // BUILD_LO
      12'h00C: wanted = 32'h12345678;                        // BUILD_HI
      12'h010: wanted = {OWN_DMA == 0, OWN_DMA != 0, 1'b1};  // FEATURES
      12'h014: wanted = 13;                                  // IMAGE_BEATS
      12'h018: wanted = 3;                                   // RESULT_BEATS
      12'h020: wanted = chosen << 4;                         // CONTROL
      12'h024: wanted = {dma_running, result_waits, in_reset, busy};  // STATUS
      12'h028: wanted = errors;                              // ERRORS
      12'h030: wanted = cycles;                              // CYCLES_LO
      12'h034: wanted = high;                                // CYCLES_HI
      12'h038: wanted = images_in;
      12'h03C: wanted = images_out;
      12'h040: wanted = batch_cycles;
      12'h044: wanted = stall_in;
      12'h048: wanted = stall_out;
      12'h080: {readable, wanted} = {OWN_DMA != 0, from};
      12'h084: {readable, wanted} = {OWN_DMA != 0, to};
      12'h088: {readable, wanted} = {OWN_DMA != 0, images};
      12'h090: {readable, wanted} = {OWN_DMA != 0, 29'd0, dma_failed, dma_done, dma_running};  // DMA_STATUS
      12'h0A0: wanted = in_reset ? 0 : in_space;             // FIFO_SPACE
      12'h0A4: wanted = in_reset ? 0 : out_level;            // FIFO_LEVEL
      default: readable = fifo_out;
    endcase
    if (!readable || !read_legal) wanted = 0;
  end

  always @(posedge aclk) begin
    errors <= (errors & ~(clears ? write_data[6:0] : 7'd0)) | {
      refused || (go && !may_go) || (chosen && ((writes && fifo_in) || (reads && fifo_out))),  // BAD_COMMAND
      reads && fifo_out && !chosen && !there,                                                  // FIFO_UNDERFLOW
      writes && fifo_in && !chosen && !room,                                                   // FIFO_OVERFLOW
      write_failed, read_failed,                                                               // DMA_WRITE, DMA_READ
      (write_valid && !(writes && writable)) || (read_valid && !(reads && readable)),          // BAD_ACCESS
      short_image                                                                              // SHORT_IMAGE
    };
    if (other && !refused) chosen <= write_data[4];
    if (OWN_DMA != 0 && writes && write_at == 12'h080) from <= write_data;
    if (OWN_DMA != 0 && writes && write_at == 12'h084) to <= write_data;
    if (OWN_DMA != 0 && writes && write_at == 12'h088) images <= write_data;
    cycles <= control && write_data[1] ? 0 : cycles + 1;
    if (reads && read_at == 12'h030) high <= cycles >> 32;
    if (!aresetn) begin
      alive <= 1;
      {chosen, from, to, images, errors, cycles, high} <= 0;
    end
  end

  always @* if (alive) begin
    if (!fifo_out) p_read: assert (read_data == wanted);
    if (fifo_out) p_window: assert (read_data == (read_legal && there ? pop_word : 0));
    p_pop: assert (pop == (reads && fifo_out && there));
    p_push: assert (push == (writes && fifo_in && room) && push_word == write_data);
    p_command: assert (reset == (control && write_data[0]) && clear == (control && write_data[1]));
    p_source: assert (source == chosen);
    p_start: assert (dma_start == (go && may_go));
    p_job: assert (dma_source == from[31:3] && dma_target == to[31:3] && dma_images == images);
    p_error: assert (error == (errors != 0));
    i_state: assert (\u.source_q == chosen && \u.errors_q == errors && \u.cycles_q == cycles
      && \u.cycles_high_q == high);
    i_job: assert (\u.source_address_q == from && \u.target_address_q == to && \u.images_q == images);
  end
endmodule

`default_nettype wire
