// SPDX-License-Identifier: Apache-2.0
// What holds of any queue `u` of DEPTH words with push, pop, valid and out_data; a bench may add its own.
// p_: what a user of the ports relies on. i_: what makes it inductive; reads the module's registers.
  `include "words.svh"
  (* hierconn *) wire [ADDRESS_W-1:0]  \u.write_q ;
  (* hierconn *) wire [ADDRESS_W-1:0]  \u.read_q ;
  (* hierconn *) wire [ADDRESS_W:0]    \u.level_q ;

  reg                alive = 0;  // there was a reset
  reg [ADDRESS_W:0]  count;
  reg                watching, held;
  reg [ADDRESS_W:0]  ahead;
  reg [WIDTH-1:0]    item, held_data;
  wire [ADDRESS_W-1:0] place = \u.read_q + ahead;

  always @(posedge aclk) begin
    held <= aresetn && valid && !pop;
    held_data <= out_data;
    if (!aresetn) begin
      alive <= 1;
      count <= 0;
      watching <= 0;
    end else begin
      count <= count + push - pop;
      if (!watching && push && mark) begin
        watching <= 1;
        item <= in_data;
        ahead <= count - pop;
      end else if (watching && pop) begin
        ahead <= ahead - 1;
        if (ahead == 0) watching <= 0;
      end
    end
  end

  always @* if (alive) begin
    assume (!push || count < DEPTH);
    assume (!pop || valid);
    p_valid: assert (valid == (count != 0));
    if (watching && ahead == 0) p_order: assert (valid && out_data == item);
    if (held) p_hold: assert (valid && out_data == held_data);
    i_count: assert (count <= DEPTH && count == \u.level_q );
    i_places: assert (count[ADDRESS_W-1:0] == ADDRESS_W'(\u.write_q - \u.read_q ));
    if (watching) i_place: assert (ahead < count && words[place*WIDTH +: WIDTH] == item);
    if (held) i_held: assert (count != 0 && words[\u.read_q *WIDTH +: WIDTH] == held_data);
  end
