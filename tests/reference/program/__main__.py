"""`python -m reference.program`: writes programs of the vectors anew."""

from reference.program.vectors import FOLDER, files, rendered

for path in files():
    target = FOLDER / "programs" / path.name
    target.parent.mkdir(exist_ok=True)
    target.write_text(rendered(path))
