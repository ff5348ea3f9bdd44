//! Contact sheet of all samples: `cargo run --example sheet -- OUT.png [de] [flat]`.
use panel::{Frame,Glass,Language,Scene};
fn main(){
 let args:Vec<String>=std::env::args().collect();
 let lang=if args.iter().any(|a|a=="de"){Language::German}else{Language::English};
 let glass=if args.iter().any(|a|a=="flat"){Glass::Flat}else{Glass::Tall};
 let s=panel::samples::all(lang);
 let k=3usize; let cols=3; let (w,h)=(128*k+12,glass.height() as usize*k+12);
 let from:usize=args.iter().position(|a|a=="from").map_or(0,|i|args[i+1].parse().unwrap());
 let s:Vec<_>=s.into_iter().skip(from).take(if glass==Glass::Tall{15}else{30}).collect();
 let rows=s.len().div_ceil(cols);
 let mut img=vec![60u8;w*cols*h*rows];
 for (i,x) in s.iter().enumerate(){ let f:Frame=Scene::new(&x.view,glass,lang,x.elapsed).frame();
  let (ox,oy)=((i%cols)*w+6,(i/cols)*h+6);
  for y in 0..glass.height() as usize*k{for xx in 0..128*k{ img[(oy+y)*w*cols+ox+xx]=if f.lit((xx/k) as i32,(y/k) as i32){255}else{0};}}}
 let mut e=png::Encoder::new(std::fs::File::create(&args[1]).unwrap(),(w*cols) as u32,(h*rows) as u32);e.set_color(png::ColorType::Grayscale);
 e.write_header().unwrap().write_image_data(&img).unwrap();
}
