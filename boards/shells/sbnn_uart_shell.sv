// SPDX-License-Identifier: Apache-2.0
//
// A core with AXI-Stream in and out, driven over a serial line; the protocol is in boards/shells/README.md.
//
// The receive buffer covers the cycles in which the core or the answer before is not ready; what would
// not fit is dropped and the frame's status says so. The send buffer holds the answers to every image
// that the host may have outstanding (MAX_IMAGES), which is the only flow control there is.
`default_nettype none

module sbnn_uart_shell #(
    parameter BIT_NUM = 25,  // bit length in clocks, numerator
    parameter BIT_DEN = 3,  // bit length in clocks, denominator
    parameter GAP_CLOCKS = 2500000,  // a frame is given up after so long without a byte
    parameter IMAGE_BYTES = 98,
    parameter IN_BEAT_BYTES = 8,
    parameter RESULT_BYTES = 22,
    parameter OUT_BEAT_BYTES = 8,
    parameter MAX_IMAGES = 64,  // in one frame, and in all unanswered frames
    parameter RX_DEPTH = 512,
    parameter TX_DEPTH = 2048,
    parameter INFO_BYTES = 32,
    parameter [8*INFO_BYTES-1:0] INFO = '0
) (
    input  wire                         aclk,
    input  wire                         aresetn,
    input  wire                         uart_rx,
    output logic                        uart_tx,
    // Images, to the core.
    output logic [ 8*IN_BEAT_BYTES-1:0] m_axis_tdata,
    output logic                        m_axis_tvalid,
    input  wire                         m_axis_tready,
    output logic                        m_axis_tlast,
    // Results, from the core.
    input  wire  [8*OUT_BEAT_BYTES-1:0] s_axis_tdata,
    input  wire                         s_axis_tvalid,
    output logic                        s_axis_tready,
    input  wire                         s_axis_tlast,
    // For the LEDs.
    output logic [                 7:0] last_class,
    output logic                        last_error,
    output logic                        busy
);
  logic [7:0] line_data, request_data, answer_data, send_data, command, tag, status;
  logic line_error, line_valid, lost_q, rx_ready, request_error, request_valid, request_ready;
  logic answer_valid, answer_ready, send_valid, send_ready;
  logic open_valid, open_ready, closed, done;
  logic [15:0] count, images_in;

  sbnn_uart_rx #(
      .BIT_NUM(BIT_NUM),
      .BIT_DEN(BIT_DEN)
  ) u_rx (
      .aclk(aclk),
      .aresetn(aresetn),
      .rxd(uart_rx),
      .data(line_data),
      .error(line_error),
      .valid(line_valid)
  );

  // A byte that found no room damages the next one that does, so that no loss goes unseen.
  always_ff @(posedge aclk) begin
    if (line_valid) lost_q <= !rx_ready;
    if (!aresetn) lost_q <= 1'b0;
  end

  sbnn_byte_fifo #(
      .WIDTH(9),
      .DEPTH(RX_DEPTH)
  ) u_rx_fifo (
      .aclk(aclk),
      .aresetn(aresetn),
      .in_data({line_error || lost_q, line_data}),
      .in_valid(line_valid),
      .in_ready(rx_ready),
      .out_data({request_error, request_data}),
      .out_valid(request_valid),
      .out_ready(request_ready)
  );

  sbnn_frame_request #(
      .IMAGE_BYTES(IMAGE_BYTES),
      .BEAT_BYTES (IN_BEAT_BYTES),
      .MAX_IMAGES (MAX_IMAGES),
      .GAP_CLOCKS (GAP_CLOCKS)
  ) u_request (
      .aclk(aclk),
      .aresetn(aresetn),
      .in_data(request_data),
      .in_error(request_error),
      .in_valid(request_valid),
      .in_ready(request_ready),
      .open_valid(open_valid),
      .open_ready(open_ready),
      .open_command(command),
      .open_tag(tag),
      .open_count(count),
      .images_in(images_in),
      .closed(closed),
      .status(status),
      .done(done),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast(m_axis_tlast)
  );

  sbnn_frame_answer #(
      .RESULT_BYTES(RESULT_BYTES),
      .BEAT_BYTES(OUT_BEAT_BYTES),
      .INFO_BYTES(INFO_BYTES),
      .INFO(INFO)
  ) u_answer (
      .aclk(aclk),
      .aresetn(aresetn),
      .open_valid(open_valid),
      .open_ready(open_ready),
      .open_command(command),
      .open_tag(tag),
      .open_count(count),
      .images_in(images_in),
      .closed(closed),
      .status(status),
      .done(done),
      .s_axis_tdata(s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .s_axis_tlast(s_axis_tlast),
      .out_data(answer_data),
      .out_valid(answer_valid),
      .out_ready(answer_ready),
      .last_class(last_class),
      .last_error(last_error)
  );

  sbnn_byte_fifo #(
      .WIDTH(8),
      .DEPTH(TX_DEPTH)
  ) u_tx_fifo (
      .aclk(aclk),
      .aresetn(aresetn),
      .in_data(answer_data),
      .in_valid(answer_valid),
      .in_ready(answer_ready),
      .out_data(send_data),
      .out_valid(send_valid),
      .out_ready(send_ready)
  );

  sbnn_uart_tx #(
      .BIT_NUM(BIT_NUM),
      .BIT_DEN(BIT_DEN)
  ) u_tx (
      .aclk(aclk),
      .aresetn(aresetn),
      .data(send_data),
      .valid(send_valid),
      .ready(send_ready),
      .txd(uart_tx)
  );

  assign busy = !open_ready || !send_ready;
endmodule
`default_nettype wire
