# SPDX-License-Identifier: Apache-2.0
# A stand-in for Vivado's batch mode that knows commands, options, IPs, their pins and their properties, and
# stops on anything it does not know:
#
#     tclsh vivado_stubs.tcl -mode batch -nojournal -nolog -notrace -source build.tcl
#
# STUB_CALLS is a file that every call is recorded in, STUB_VIVADO the version (2024.1 by default),
# STUB_SCENARIO a misfortune: no_part no_ip no_handoff slow_clock other_pll synth_fails
# route_fails setup hold unconstrained.
set version [expr {[info exists env(STUB_VIVADO)] ? $env(STUB_VIVADO) : "2024.1"}]
set scenario [expr {[info exists env(STUB_SCENARIO)] ? $env(STUB_SCENARIO) : "none"}]
set record [open [expr {[info exists env(STUB_CALLS)] ? $env(STUB_CALLS) : "/dev/null"}] w]

# Older Vivados have Tcl 8.5: what came later must not be there for the script.
rename lmap _lmap
foreach name {try throw tailcall coroutine yield yieldto} {rename $name {}}

source [file join [file dirname [info script]] vivado_catalogue.tcl]

proc fail {code text} {
  puts "ERROR: \[$code\] $text"
  error "ERROR: \[$code\] $text"
}

namespace eval ipx {}

# Split a call into options and the rest; known: {-flag 0 -valued 1}.
proc options {command known words} {
  set taken [dict create rest {}]
  for {set i 0} {$i < [llength $words]} {incr i} {
    set word [lindex $words $i]
    if {![string match "-\[a-z\]*" $word]} {dict lappend taken rest $word; continue}
    if {![dict exists $known $word]} {
      fail "Common 17-170" "Unknown option '$word', please type '$command -help' for usage info."
    }
    dict set taken $word [expr {[dict get $known $word] ? [lindex $words [incr i]] : 1}]
  }
  return $taken
}

# Define a command that is recorded; `o` holds its options, `rest` its other words.
proc command {name known body} {
  proc $name args "
    puts \$::record \[list $name {*}\$args\]
    flush \$::record
    set o \[options $name [list $known] \$args\]
    set rest \[dict get \$o rest\]
    $body
  "
}

foreach name {cells values used nets project files fileset_top runs state} {array set $name {}}
array set state {addresses 0 valid 0 generated 0 catalogue {} opened 0}

command version {-short 0} {return $::version}
command get_parts {-quiet 0} {return [expr {$::scenario eq "no_part" ? {} : $rest}]}
command create_project {-force 0 -part 1} {
  if {[array size ::project]} {fail "Common 17-53" "User Exception: Project already open."}
  lassign $rest name folder
  file mkdir $folder
  array set ::project [list name $name folder $folder part [dict get $o -part]]
  array unset ::files; array unset ::runs
  array set ::runs {synth_1 {Not started} impl_1 {Not started}}
  return $name
}
command close_project {} {array unset ::project; array unset ::fileset_top}
command current_project {} {return @project}
command current_fileset {} {return @fileset}
command get_filesets {} {return $rest}
command get_files {} {
  if {$rest ne "sbnn.bd" || ![info exists ::state(design)]} {fail "Vivado 12-172" "no file $rest"}
  return @file:$rest
}
command add_files {-fileset 1 -norecurse 0} {
  foreach name $rest {
    if {![file isfile $name]} {fail "Vivado 12-172" "File or Directory '$name' does not exist"}
    set ::files($name) 1
  }
}
command update_compile_order {-fileset 1} {}
command update_ip_catalog {-rebuild 0} {
  foreach folder $::state(repositories) {
    if {[file isfile [file join $folder component.xml]]} {set ::state(catalogue) $folder}
  }
}

proc module_file {name} {
  foreach path [array names ::files] {
    set stream [open $path]
    set text [read $stream]
    close $stream
    if {[regexp "(?n)^\\s*module\\s+$name\\M" $text]} {return [list $path $text]}
  }
  fail "HDL 9-806" "no module $name among the sources"
}

command set_property {-dict 0} {
  if {[dict exists $o -dict]} {lassign $rest pairs object} else {set object [lindex $rest end]
    set pairs [lrange $rest 0 end-1]}
  if {[llength $pairs] % 2} {fail "Common 17-163" "Missing value for property"}
  foreach {name value} $pairs {set_one $name $value $object}
}

proc set_one {name value object} {
  switch -glob -- $object {
    @project {
      if {$name eq "ip_repo_paths"} {set ::state(repositories) $value; return}
      if {$name eq "target_language"} return
    }
    @fileset {if {$name eq "top"} {set ::fileset_top(name) $value; module_file $value; return}}
    @core {if {$name in {name version display_name}} {set ::core($name) $value; return}}
    @cell:* {
      set cell [string range $object 6 end]
      set known [dict get $::ips $::cells($cell) properties]
      if {[string match CONFIG.* $name] && [string range $name 7 end] in $known} {
        set ::values($cell,[string range $name 7 end]) $value
        return
      }
    }
  }
  fail "Common 17-161" "Invalid option value specified for '$object': no property $name"
}
command get_property {} {
  lassign $rest name object
  switch -glob -- $object {
    @cell:* {
      set cell [string range $object 6 end]
      lassign [dict get $::ips $::cells($cell) achieved] achieved asked
      if {$name eq "CONFIG.PCW_IO_IO_PLL_FREQMHZ" && $::cells($cell) eq "processing_system7"} {
        return [expr {$::scenario eq "other_pll" ? "1600.000" : "1000.000"}]
      }
      if {$name eq "CONFIG.$achieved"} {
        return [expr {$::values($cell,$asked) * ($::scenario eq "slow_clock" ? 0.8 : 0.99999)}]
      }
    }
    @run:* {
      set run [string range $object 5 end]
      switch -- $name {
        DIRECTORY {return [file join $::project(folder) $::project(name).runs $run]}
        STATUS {return $::runs($run)}
        PROGRESS {return [expr {[string match "*Complete!" $::runs($run)] ? "100%" : "42%"}]}
      }
    }
    @path:* {
      if {$name eq "SLACK"} {
        switch -- "$object $::scenario" {
          "@path:max setup" {return -0.312}
          "@path:min hold" {return -0.021}
          "@path:max none" {return 1.25}
          default {return 0.05}
        }
      }
    }
  }
  fail "Common 17-142" "no property $name of $object"
}

command ipx::package_project {-root_dir 1 -vendor 1 -library 1 -taxonomy 1 -import_files 0 -set_current 1} {
  lassign [module_file $::fileset_top(name)] path text
  if {[file extension $path] ne ".v"} {fail "IP_Flow 19-4751" "the top file $path is not plain Verilog"}
  array set ::core [list root [dict get $o -root_dir] text $text name $::fileset_top(name)]
  array set ::core [list vendor [dict get $o -vendor] library [dict get $o -library]]
}
command ipx::current_core {} {if {[info exists ::core(root)]} {return @core}}
command ipx::get_bus_interfaces {-of_objects 1} {
  set sign [dict get {s_axi s_axi_awvalid s_axis s_axis_tvalid m_axis m_axis_tvalid} $rest]
  return [expr {[regexp "\\m$sign\\M" $::core(text)] ? $rest : {}}]
}
command ipx::associate_bus_interfaces {-busif 1 -clock 1} {
  if {![regexp "\\m[dict get $o -clock]\\M" $::core(text)]} {fail "IP_Flow 19-1" "no such clock"}
}
command ipx::create_xgui_files {} {}
command ipx::update_checksums {} {}
command ipx::save_core {} {
  file mkdir $::core(root)
  close [open [file join $::core(root) component.xml] w]
  set vlnv $::core(vendor):$::core(library):$::core(name):$::core(version)
  if {$vlnv ne "sbnn:sbnn:accelerator:1.0"} {fail "IP_Flow 19-2" "the driver does not look for $vlnv"}
  dict set ::ips accelerator {clock {} properties {} pins {aclk in aresetn in}
    interfaces {s_axi slave aximm s_axis slave axis m_axis master axis}}
}

command get_ipdefs {-all 0 -filter 1} {
  if {![regexp {^VLNV =~ (xilinx.com:ip:([a-z0-9_]+)):\*$} [dict get $o -filter] all stem name]} {
    fail "Common 17-55" "the filter is not understood"
  }
  if {![dict exists $::ips $name] || ($::scenario eq "no_ip" && $name eq "axi_dma")} return
  return [_lmap version [dict get $::ips $name versions] {string cat $stem : $version}]
}
command create_bd_design {} {set ::state(design) $rest}
command create_bd_cell {-type 1 -vlnv 1} {
  lassign [split [dict get $o -vlnv] :] vendor library name version
  if {[info exists ::cells($rest)]} {fail "BD 5-216" "cell $rest exists"}
  if {$vendor eq "sbnn"} {
    if {$::state(catalogue) eq ""} {fail "BD 41-1" "[dict get $o -vlnv] is not in the catalogue"}
  } elseif {$version ne [lindex [dict get $::ips $name versions] end]} {
    fail "BD 41-2" "$name $version is not the newest"
  }
  set ::cells($rest) $name
  return @cell:$rest
}
command get_bd_cells {} {
  if {![info exists ::cells($rest)]} {fail "BD 5-232" "No cells matched '$rest'"}
  return @cell:$rest
}
command apply_bd_automation {-rule 1 -config 1} {
  set known {make_external apply_board_preset Master Slave}
  foreach {name value} [dict get $o -config] {
    if {$name ni $known} {fail "BD 5-1" "no configuration $name"}
  }
  set cell [string range $rest 6 end]
  if {[dict get $o -rule] ne "xilinx.com:bd_rule:$::cells($cell)"} {fail "BD 5-2" "no such rule"}
  array set ::used [list $cell/DDR 1 $cell/FIXED_IO 1]
}

# Interfaces of a cell; those of an interconnect depend on its settings.
proc interfaces_of {cell} {
  set found [dict get $::ips $::cells($cell) interfaces]
  if {$::cells($cell) ne "smartconnect"} {return $found}
  for {set i 0} {$i < $::values($cell,NUM_SI)} {incr i} {lappend found [format S%02d_AXI $i] slave aximm}
  for {set i 0} {$i < $::values($cell,NUM_MI)} {incr i} {lappend found [format M%02d_AXI $i] master aximm}
  return $found
}
proc interface {path} {
  lassign [split $path /] cell name
  if {[info exists ::cells($cell)]} {
    foreach {known mode protocol} [interfaces_of $cell] {
      if {$known eq $name} {return [list $mode $protocol]}
    }
  }
  fail "BD 5-233" "No interface pins matched '$path'"
}
command get_bd_intf_pins {} {interface $rest; return $rest}
command connect_bd_intf_net {} {
  set modes {}
  foreach path $rest {
    if {[info exists ::used($path)]} {fail "BD 41-171" "$path is connected twice"}
    set ::used($path) 1
    lassign [interface $path] mode protocol
    lappend modes $mode; lappend protocols $protocol
  }
  if {[lsort $modes] ne {master slave} || [llength [lsort -unique $protocols]] != 1} {
    fail "BD 41-1306" "$rest are $modes of $protocols"
  }
}
command get_bd_pins {} {
  lassign [split $rest /] cell name
  if {![info exists ::cells($cell)] || ![dict exists [dict get $::ips $::cells($cell) pins] $name]} {
    fail "BD 5-234" "No pins matched '$rest'"
  }
  return $rest
}
command connect_bd_net {} {
  lassign $rest driver load
  foreach {path needed} [list $driver out $load in] {
    lassign [split $path /] cell name
    if {[dict get $::ips $::cells($cell) pins $name] ne $needed} {fail "BD 41-3" "$path is not $needed"}
  }
  if {[info exists ::nets($load)]} {fail "BD 41-4" "$load has two drivers"}
  set ::nets($load) $driver
}
command assign_bd_address {} {set ::state(addresses) 1}
command validate_bd_design {} {
  if {!$::state(addresses)} {fail "BD 41-5" "addresses are not assigned"}
  foreach cell [array names ::cells] {
    foreach {name mode protocol} [interfaces_of $cell] {
      if {![info exists ::used($cell/$name)]} {fail "BD 41-758" "$cell/$name is not connected"}
    }
    foreach {name direction} [dict get $::ips $::cells($cell) pins] {
      if {$direction ne "in"} continue
      if {![info exists ::nets($cell/$name)]} {fail "BD 41-758" "$cell/$name is not connected"}
      set is_clock [regexp -nocase {(aclk|clk)$} $name]
      if {$is_clock != [regexp -nocase {clk0$} $::nets($cell/$name)]} {
        fail "BD 41-6" "$cell/$name is driven by $::nets($cell/$name)"
      }
    }
  }
  set ::state(valid) 1
}
command save_bd_design {} {}
command generate_target {} {
  if {!$::state(valid)} {fail "BD 41-7" "the block design is not validated"}
  set top [expr {[package vcompare $::version 2020.2] < 0 ? "srcs" : "gen"}]
  set folder [file join $::project(folder) $::project(name).$top sources_1 bd sbnn hw_handoff]
  file mkdir $folder
  if {$::scenario eq "no_handoff"} return
  report [file join $folder sbnn.hwh] [handoff]
}

# The handoff as Vivado lays it out: one module per cell with its settings, addresses at the processor.
proc handoff {} {
  set address {axi_dma_0 {0x40400000 0x4040FFFF S_AXI_LITE} sbnn_0 {0x43C00000 0x43C00FFF s_axi}}
  set text "<EDKSYSTEM VIVADOVERSION=\"$::version\"><SYSTEMINFO NAME=\"sbnn\"/><EXTERNALPORTS/>\n"
  append text "<EXTERNALINTERFACES/><MODULES>\n"
  foreach cell [lsort [array names ::cells]] {
    set kind $::cells($cell)
    set vlnv [expr {$kind eq "accelerator" ? "sbnn:sbnn:accelerator:1.0" :
      "xilinx.com:ip:$kind:[lindex [dict get $::ips $kind versions] end]"}]
    append text "<MODULE FULLNAME=\"/$cell\" INSTANCE=\"$cell\" MODTYPE=\"$kind\" VLNV=\"$vlnv\">"
    append text "<PARAMETERS>\n"
    foreach name [lsort [array names ::values $cell,*]] {
      append text [parameter [lindex [split $name ,] 1] $::values($name)]
    }
    if {$kind eq "axi_dma"} {append text [parameter c_micro_dma 0]}
    set ranges {}
    if {$kind eq "processing_system7"} {
      for {set i 0} {$i < 4} {incr i} {
        append text [parameter PCW_FPGA_FCLK${i}_ENABLE [expr {$i == 0}]]
        append text [parameter PCW_FCLK${i}_PERIPHERAL_CLKSRC "IO PLL"]
        append text [parameter PCW_FCLK${i}_PERIPHERAL_DIVISOR0 [expr {$i ? 1 :
          round(1000.0 / $::values($cell,PCW_FPGA0_PERIPHERAL_FREQMHZ))}]]
        append text [parameter PCW_FCLK${i}_PERIPHERAL_DIVISOR1 1]
      }
      foreach {instance range} $address {
        lassign $range base high interface
        append ranges "<MEMRANGE ADDRESSBLOCK=\"Reg\" BASEVALUE=\"$base\" HIGHVALUE=\"$high\"\
          INSTANCE=\"$instance\" IS_DATA=\"TRUE\" MASTERBUSINTERFACE=\"M_AXI_GP0\"\
          MEMTYPE=\"REGISTER\" SLAVEBUSINTERFACE=\"$interface\"/>\n"
      }
    }
    append text "</PARAMETERS><BUSINTERFACES>\n"
    foreach {name mode protocol} [interfaces_of $cell] {
      append text "<BUSINTERFACE NAME=\"$name\" TYPE=\"[string toupper $mode]\"\
        VLNV=\"xilinx.com:interface:$protocol:1.0\"/>\n"
    }
    append text "</BUSINTERFACES>[expr {$ranges eq "" ? "" : "<MEMORYMAP>\n$ranges</MEMORYMAP>"}]"
    append text "</MODULE>\n"
  }
  return "$text</MODULES></EDKSYSTEM>"
}
proc parameter {name value} {return "<PARAMETER NAME=\"$name\" VALUE=\"$value\"/>\n"}

command make_wrapper {-files 1 -top 0} {
  set path [file join $::project(folder) sbnn_wrapper.v]
  set stream [open $path w]
  puts $stream "module sbnn_wrapper;\nendmodule"
  close $stream
  return $path
}

command launch_runs {-to_step 1 -jobs 1} {
  if {![info exists ::fileset_top(name)]} {fail "Common 17-69" "no top module"}
  if {$rest eq "impl_1" && ![string match "*Complete!" $::runs(synth_1)]} {
    fail "Common 17-69" "synth_1 is not complete"
  }
  set ::runs($rest) queued
}
command wait_on_run {} {
  set folder [file join $::project(folder) $::project(name).runs $rest]
  file mkdir $folder
  set failing [expr {"$rest $::scenario" in {"synth_1 synth_fails" "impl_1 route_fails"}}]
  set stream [open [file join $folder runme.log] w]
  puts $stream "INFO: \[Common 17-206\] Running $rest"
  if {$failing} {
    puts $stream "ERROR: \[Synth 8-439\] module 'nothing' not found \[top.sv:7\]"
    puts $stream "ERROR: \[Common 17-69\] Command failed: see the errors above"
  }
  close $stream
  set step [expr {$rest eq "synth_1" ? "synth_design" : "write_bitstream"}]
  set ::runs($rest) [expr {$failing ? "$step ERROR" : "$step Complete!"}]
  if {$rest eq "impl_1" && !$failing} {
    set stream [open [file join $folder $::fileset_top(name).bit] wb]
    puts -nonewline $stream "bitstream of $::fileset_top(name) for $::project(part)"
    close $stream
  }
}
command get_runs {} {
  return [_lmap name [expr {$rest eq "" ? [lsort [array names ::runs]] : $rest}] {string cat @run: $name}]
}
command open_run {} {set ::state(opened) 1}
command get_timing_paths {-delay_type 1 -max_paths 1 -nworst 1} {
  if {!$::state(opened)} {fail "Common 17-53" "no design is open"}
  return [expr {$::scenario eq "unconstrained" ? {} : "@path:[dict get $o -delay_type]"}]
}
proc report {path text} {
  set stream [open $path w]
  puts $stream $text
  close $stream
}
command report_utilization {-hierarchical 0 -file 1} {
  set kind [expr {[string match xc7* $::project(part)] ? "Slice" : "CLB"}]
  report [dict get $o -file] [string map [list KIND $kind] [string trim {
1. KIND Logic
+----------------------------+------+-------+------------+-----------+-------+
|          Site Type         | Used | Fixed | Prohibited | Available | Util% |
+----------------------------+------+-------+------------+-----------+-------+
| KIND LUTs                  | 4321 |     0 |          0 |     53200 |  8.12 |
|   LUT as Logic             | 4300 |     0 |          0 |     53200 |  8.08 |
| KIND Registers             | 3456 |     0 |          0 |    106400 |  3.25 |
| Block RAM Tile             |  2.5 |     0 |          0 |       140 |  1.79 |
| DSPs                       |    0 |     0 |          0 |       220 |  0.00 |
+----------------------------+------+-------+------------+-----------+-------+}]]
}
command report_timing_summary {-file 1} {report [dict get $o -file] "timing of $::scenario"}
command report_power {-file 1} {report [dict get $o -file] "power"}

set asked [options vivado {-mode 1 -nojournal 0 -nolog 0 -notrace 0 -source 1} $argv]
if {[dict get $asked -mode] ne "batch"} {fail "Common 17-1" "only -mode batch"}
puts "****** Vivado v$version (64-bit)"
source [dict get $asked -source]
