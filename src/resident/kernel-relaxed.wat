;; `scanBytes` of kernel.wat for processors and engines with relaxed SIMD: the same scores, with an instruction that multiplies sixteen
;; bytes by sixteen others of 7 bits without a sign, and adds up fours. What is relaxed about it is how it treats an eighth bit, and sums
;; of two products above int16; neither occurs here, so that it is exact everywhere.
;;
;; So that the query keeps its 13 bits it comes in two digits of 7 and 6 bits, 64 · (high − 64) + low: sixteen of the high ones, the
;; sixteen low ones that belong to them, and so on. `sums` holds Σ row[d] of each row, of which 64 · 64 are too many. Partial sums
;; may wrap around; the whole one is below 2^31.
(module
  (import "env" "memory" (memory 1 65536 shared))

  (func (export "scanBytes")
    (param $query i32) (param $rows i32) (param $count i32) (param $bytes i32)
    (param $scales i32) (param $sums i32) (param $floor f32) (param $out i32)
    (result i32)
    (local $i i32) (local $from i32) (local $score f32) (local $at i32) (local $end i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $codes v128)
    (local.set $from (local.get $out))
    (block $done
      (loop $row
        (br_if $done (i32.eq (local.get $i) (local.get $count)))
        (local.set $a (v128.const i32x4 0 0 0 0))
        (local.set $b (v128.const i32x4 0 0 0 0))
        (local.set $c (v128.const i32x4 0 0 0 0))
        (local.set $d (v128.const i32x4 0 0 0 0))
        (local.set $at (local.get $query))
        (local.set $end (i32.add (local.get $rows) (local.get $bytes)))
        (loop $part
          (local.set $codes (v128.load (local.get $rows)))
          (local.set $a (i32x4.relaxed_dot_i8x16_i7x16_add_s
            (local.get $codes) (v128.load (local.get $at)) (local.get $a)))
          (local.set $b (i32x4.relaxed_dot_i8x16_i7x16_add_s
            (local.get $codes) (v128.load offset=16 (local.get $at)) (local.get $b)))
          (local.set $codes (v128.load offset=16 (local.get $rows)))
          (local.set $c (i32x4.relaxed_dot_i8x16_i7x16_add_s
            (local.get $codes) (v128.load offset=32 (local.get $at)) (local.get $c)))
          (local.set $d (i32x4.relaxed_dot_i8x16_i7x16_add_s
            (local.get $codes) (v128.load offset=48 (local.get $at)) (local.get $d)))
          (local.set $at (i32.add (local.get $at) (i32.const 64)))
          (br_if $part (i32.lt_u (local.tee $rows (i32.add (local.get $rows) (i32.const 32))) (local.get $end))))
        (local.set $a (i32x4.add
          (i32x4.shl (i32x4.add (local.get $a) (local.get $c)) (i32.const 6))
          (i32x4.add (local.get $b) (local.get $d))))
        (local.set $score (f32.mul (f32.load (local.get $scales)) (f32.convert_i32_s (i32.sub
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $a)) (i32x4.extract_lane 1 (local.get $a)))
            (i32.add (i32x4.extract_lane 2 (local.get $a)) (i32x4.extract_lane 3 (local.get $a))))
          (i32.shl (i32.load (local.get $sums)) (i32.const 12))))))
        (local.set $scales (i32.add (local.get $scales) (i32.const 4)))
        (local.set $sums (i32.add (local.get $sums) (i32.const 4)))
        (i32.store (local.get $out) (local.get $i))
        (f32.store offset=4 (local.get $out) (local.get $score))
        (local.set $out (i32.add (local.get $out) (i32.shl (f32.ge (local.get $score) (local.get $floor)) (i32.const 3))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $row)))
    (i32.shr_u (i32.sub (local.get $out) (local.get $from)) (i32.const 3))))
